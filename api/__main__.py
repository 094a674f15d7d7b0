"""`python -m api`: the API alone, on the address and port of the settings."""

import uvicorn

from api.app import create_app
from api.settings import load

if __name__ == "__main__":
    settings = load()
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        timeout_graceful_shutdown=3,  # an answer under way may still finish
    )
