"""`python -m api`: the API alone, on the address and port of the settings."""

import sys

import uvicorn
from fastapi import FastAPI

from api import logging_setup
from api.app import create_app
from api.keys import KeysError
from api.settings import Settings, load
from api.stream_protocol import LONGEST_MESSAGE_BYTES, StreamProtocol


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal comes; sets up the process's logging."""
    logging_setup.configure(settings.log_format, settings.log_level)
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,  # api/observed.py writes a line that holds nothing of the client
        # Longer than clients and proxies keep an idle connection (most of them 60 s at most): else
        # it is closed at the moment in which one of them sends the next request over it.
        timeout_keep_alive=75,
        ws=StreamProtocol,
        ws_max_size=LONGEST_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # PCM gains nothing, and a small frame may hold a large one
        timeout_graceful_shutdown=3,  # an answer under way may still finish
    )


if __name__ == "__main__":
    chosen = load()
    try:
        made = create_app(chosen)
    except KeysError as error:
        sys.exit(str(error))
    run(made, chosen)
