"""The application: `uvicorn --factory api.app:create_app`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import VERSION, errors, health, routes
from api.body import BodyLimit
from api.log import PredictionLog
from api.models import Models
from api.service import Service
from api.settings import Settings, load
from api.triton import Triton

Connect = Callable[[Settings], Models]


def _connect(settings: Settings) -> Models:
    return Triton(settings.triton_grpc_url)


def create_app(settings: Settings | None = None, connect: Connect = _connect) -> FastAPI:
    """Return the application; `connect` opens the models, inside its event loop."""
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
    )
    app.include_router(health.router)
    app.include_router(routes.router)
    errors.install(app)
    app.add_middleware(
        BodyLimit, max_bytes=chosen.max_body_bytes, timeout_s=chosen.upload_timeout_s
    )
    return app
