"""The application: `uvicorn --factory api.app:create_app`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import VERSION, docs, errors, health, routes
from api.auth import Access
from api.body import BodyLimit
from api.headers import SecurityHeaders
from api.log import PredictionLog
from api.models import Models
from api.service import Service
from api.settings import Settings, load
from api.triton import Triton

Connect = Callable[[Settings], Models]


def _connect(settings: Settings) -> Models:
    return Triton(settings.triton_grpc_url)


def create_app(settings: Settings | None = None, connect: Connect = _connect) -> FastAPI:
    """Return the application; `connect` opens the models, inside its event loop.

    Raises:
        KeysError: the API would be reached from elsewhere without a key, or the file is broken.
    """
    chosen = load() if settings is None else settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log = PredictionLog(chosen.database_url, chosen.database_connections, chosen.log_timeout_s)
        await log.open(chosen.database_start_timeout_s)
        app.state.service = Service(chosen, connect(chosen), log)
        yield
        await app.state.service.models.close()
        await log.close()

    app = FastAPI(
        title="NeuroSense",
        version=VERSION,
        description="The emotions of a sentence, a recording of speech, or both.",
        lifespan=lifespan,
        docs_url=None,  # api.docs has it, without what needs a looser policy
        redoc_url=None,
    )
    app.state.access = Access(chosen)
    app.include_router(health.router)
    app.include_router(routes.router)
    app.include_router(docs.router)
    errors.install(app)
    app.add_middleware(BodyLimit, max_bytes=chosen.max_body_bytes)
    if chosen.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type"],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(SecurityHeaders)  # the last is the outermost: every answer has them
    return app
