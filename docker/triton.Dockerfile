# syntax=docker/dockerfile:1
# NVIDIA's Triton with our steps and a model repository; GPU or CPU.
# Build from the project's root: docker build -f docker/triton.Dockerfile .
#
# The starter weights are baked in. To serve others, mount a repository over /models
# (`neurosense export --repository DIR` makes one with the published checkpoints).

# Renders the served repository with the project's own command; only /models is kept.
FROM python:3.12.13-slim-trixie AS models
WORKDIR /src
COPY requirements/run.txt requirements/
RUN pip install --no-cache-dir --only-binary :all: -r requirements/run.txt
COPY api api
COPY ensemble ensemble
COPY evaluation evaluation
COPY export export
COPY model_repository model_repository
COPY serving serving
# int8 is for CPUs: ONNX Runtime has its products (MatMulIntegerToFloat) on no CUDA device.
# For a GPU: --build-arg PRECISION=fp16
ARG PRECISION=auto
# On a GPU: tensorrt instead of cuda, and so many instances of each classifier.
ARG ACCELERATOR=cuda
ARG INSTANCES=
# Without a GPU: how many cores there will be, or `all` of those here.
ARG CPU_CORES=
RUN export NEUROSENSE_ACCELERATOR="$ACCELERATOR" NEUROSENSE_CLASSIFIER_INSTANCES="$INSTANCES" \
        NEUROSENSE_CPU_CORES="$CPU_CORES" \
    && python -m serving.cli export --starter --precision "$PRECISION" --repository /models \
    && chmod -R a+rX /models

FROM nvcr.io/nvidia/tritonserver:26.07-py3
COPY requirements/steps.txt /tmp/requirements.txt
COPY ensemble /opt/neurosense/ensemble
COPY serving/__init__.py serving/process_folders.py /opt/neurosense/serving/
# Into the Python that the Python backend embeds, where no PYTHONPATH is needed; the last
# line stops the build if a step could not be imported.
RUN python3 -m pip install --no-cache-dir --break-system-packages --only-binary :all: \
        -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt \
    && echo /opt/neurosense > "$(python3 -c 'import site; print(site.getsitepackages()[0])')/neurosense.pth" \
    && python3 -c 'import ensemble.decoding, ensemble.fusion, ensemble.step, ensemble.tokenizing, serving.process_folders'
COPY docker/triton.sh /usr/local/bin/closed-triton
COPY docker/watched.py /usr/local/bin/watched
COPY docker/probe.py /usr/local/bin/probe
# Of this image's user, as a volume over it is that is filled from here: docker/compose.yaml.
COPY --from=models --chown=1000:1000 /models /models
# ONNX Runtime reports its use to its maker from 1.29 on, by default; and cuDNN's attention, which
# it prefers on a Hopper GPU, takes a tenth of a second for each new shape (benchmarks/README.md).
ENV PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 ORT_ENABLE_CUDNN_FLASH_ATTENTION=0
# The image's user `triton-server`.
USER 1000
EXPOSE 8000 8001 8002
# By answers of both branches: /v2/health/ready goes on to say 200 when a step has died.
HEALTHCHECK --interval=30s --timeout=20s --start-period=180s --start-interval=3s --retries=3 \
    CMD ["probe"]
# Clients connect anew every 30 s, calls under way finish first: only then gRPC looks the name up
# again and finds a replica that has joined. And they may ask for signs of life (api/channel.py).
CMD ["watched", "closed-triton", \
     "--model-repository=/models", \
     "--model-control-mode=explicit", \
     "--load-model=*", \
     "--disable-auto-complete-config", \
     "--grpc-max-connection-age=30000", \
     "--grpc-http2-min-recv-ping-interval-without-data=5000", \
     "--exit-timeout-secs=10"]
