"""`python -m api`: the API alone, on the address and port of the settings."""

import sys

import uvicorn

from api.app import create_app
from api.keys import KeysError
from api.settings import load

if __name__ == "__main__":
    settings = load()
    try:
        app = create_app(settings)
    except KeysError as error:
        sys.exit(str(error))
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        timeout_graceful_shutdown=3,  # an answer under way may still finish
    )
