# syntax=docker/dockerfile:1
# The HTTP API. Build from the project's root: docker build -f docker/api.Dockerfile .
FROM python:3.12.13-slim-trixie AS packages
COPY requirements/api.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: -r /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip

FROM python:3.12.13-slim-trixie
RUN pip uninstall --yes pip \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin neurosense
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY docker/entrypoint.sh /usr/local/bin/entrypoint
COPY ensemble/__init__.py ensemble/labels.py ensemble/errors.py ensemble/worker_process.py ensemble/
# The process that decodes long recordings.
COPY ensemble/recording.py ensemble/recording_worker.py ensemble/decoding_worker.py ensemble/
COPY ensemble/audio.py ensemble/containers.py ensemble/
COPY api api
# For a volume, since they outlive the container: the API keys, and rows that wait for PostgreSQL.
RUN install -d -o 10001 -m 700 /var/lib/neurosense
# hadolint ignore=DL3064
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NEUROSENSE_API_HOST=0.0.0.0 \
    NEUROSENSE_API_PORT=8080 \
    NEUROSENSE_API_KEYS_FILE=/var/lib/neurosense/api_keys.json \
    NEUROSENSE_SPOOL_DIR=/var/lib/neurosense/spool
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"NEUROSENSE_API_PORT\"]}/health/live', timeout=2)"]
ENTRYPOINT ["entrypoint"]
CMD ["python", "-m", "api"]
