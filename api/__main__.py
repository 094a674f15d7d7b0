"""`python -m api`: the API alone, on the address and port of the settings."""

import resource
import sys

import uvicorn
from fastapi import FastAPI

from api import logging_setup
from api.app import create_app
from api.http_protocol import bounded
from api.keys import KeysError
from api.settings import Settings, load
from api.stream_protocol import LONGEST_MESSAGE_BYTES, StreamProtocol

_OTHER_FILES = 256
"""The log's, the database's and Triton's."""


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal comes; sets up the process's logging."""
    logging_setup.configure(settings.log_format, settings.log_level)
    _allow_files(settings.max_connections + _OTHER_FILES)
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,  # api/observed.py writes a line that holds nothing of the client
        # Longer than clients and proxies keep an idle connection (most of them 60 s at most): else
        # it is closed at the moment in which one of them sends the next request over it.
        timeout_keep_alive=75,
        http=bounded(settings.max_connections, app.state.refusals),
        ws=StreamProtocol,
        ws_max_size=LONGEST_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # PCM gains nothing, and a small frame may hold a large one
        timeout_graceful_shutdown=3,  # an answer under way may still finish
    )


def _allow_files(count: int) -> None:
    """Let the process open so many files and connections, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


if __name__ == "__main__":
    chosen = load()
    try:
        made = create_app(chosen)
    except KeysError as error:
        sys.exit(str(error))
    run(made, chosen)
