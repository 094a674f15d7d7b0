# syntax=docker/dockerfile:1
# The whole service on CPUs in one container: what `make serve` runs, with the starter weights.
# For where one container is all there is; compose.yaml and deploy/ have one for each part, and
# use this image for `neurosense models` beside them.
# Its Triton is older than that of triton.Dockerfile, and listens inside the container only.
# Build from the project's root: docker build -f docker/cpu.Dockerfile .
FROM python:3.12.13-slim-trixie AS packages
COPY requirements/run.txt requirements/triton.txt /tmp/requirements/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: -r /tmp/requirements/run.txt \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: --no-deps \
        -r /tmp/requirements/triton.txt \
    && /opt/venv/bin/pip uninstall --yes pip

FROM python:3.12.13-slim-trixie
RUN pip uninstall --yes pip \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin neurosense
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY docker/entrypoint.sh /usr/local/bin/entrypoint
COPY docker/neurosense.sh /usr/local/bin/neurosense
COPY api api
COPY ensemble ensemble
COPY evaluation evaluation
COPY export export
COPY model_repository model_repository
COPY samples samples
COPY serving serving
COPY ui ui
# For a volume: API keys, published models, and rows that wait for PostgreSQL.
RUN install -d -o 10001 -m 700 /var/lib/neurosense
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NEUROSENSE_API_HOST=0.0.0.0 \
    NEUROSENSE_API_PORT=8080 \
    NEUROSENSE_STATE_DIR=/var/lib/neurosense \
    NEUROSENSE_WEIGHTS=starter
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"NEUROSENSE_API_PORT\"]}/health/live', timeout=2)"]
ENTRYPOINT ["entrypoint"]
CMD ["neurosense", "serve"]
