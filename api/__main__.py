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
        # Longer than clients and proxies keep an idle connection (most of them 60 s at most): else
        # it is closed at the moment in which one of them sends the next request over it.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,  # an answer under way may still finish
    )
