# syntax=docker/dockerfile:1
# The page. Build from the project's root: docker build -f docker/ui.Dockerfile .
FROM python:3.12.13-slim-trixie AS packages
COPY requirements/ui.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --only-binary :all: -r /tmp/requirements.txt \
    && /opt/venv/bin/pip uninstall --yes pip

FROM python:3.12.13-slim-trixie
# Streamlit looks into its user's home folder.
RUN useradd --system --uid 10001 --create-home --shell /usr/sbin/nologin neurosense
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY ui ui
COPY samples samples
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8501
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=2)"]
CMD ["python", "-m", "streamlit", "run", "ui/app.py", "--server.address=0.0.0.0", "--server.port=8501"]
