"""The application: `uvicorn --factory api.app:create_app`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from api import (
    VERSION,
    batch,
    docs,
    errors,
    health,
    history,
    metrics,
    routes,
    stream,
    timeline,
    tracing,
    trial,
)
from api.admission import Admission, Gate
from api.auth import Access
from api.body import BodyLimit
from api.database import Database
from api.headers import SecurityHeaders
from api.log import PredictionLog
from api.metrics import Metrics
from api.models import Models
from api.observed import Observed
from api.refusals import Refusals
from api.service import Service
from api.settings import Settings, load
from api.shadows import Shadows
from api.spool import Spool
from api.trials import Trials
from api.triton import Triton

Connect = Callable[[Settings], Models]


def _connect(settings: Settings) -> Models:
    return Triton(settings.triton_grpc_url)


def _log(settings: Settings, metrics: Metrics) -> PredictionLog:
    database = Database(
        settings.database_url, settings.database_connections, settings.log_timeout_s
    )
    spool = Spool(settings.spool_dir, settings.spool_max_bytes)
    return PredictionLog(database, spool, settings.retention_months, metrics)


def _service(settings: Settings, models: Models, log: PredictionLog, app: FastAPI) -> Service:
    metrics, admission = app.state.metrics, app.state.admission
    trials = Trials(models, metrics)
    shadows = Shadows(trials, log, admission, metrics, settings.request_timeout_s)
    return Service(settings, models, log, metrics, admission, trials, shadows)


def create_app(settings: Settings | None = None, connect: Connect = _connect) -> FastAPI:
    """Return the application; `connect` opens the models, inside its event loop.

    Raises:
        KeysError: the API would be reached from elsewhere without a key, or the file is broken.
    """
    chosen = load() if settings is None else settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log = _log(chosen, app.state.metrics)
        await log.open()
        service = _service(chosen, connect(chosen), log, app)
        app.state.service = service
        following = asyncio.create_task(service.trials.follow())
        yield
        following.cancel()
        await service.shadows.close()
        await service.models.close()
        await log.close()

    @asynccontextmanager
    async def traced(app: FastAPI) -> AsyncIterator[None]:
        # Outside, so that a collector that hangs holds up nothing but its own spans.
        async with tracing.exporting(chosen.otlp_traces_url), lifespan(app):
            yield

    app = FastAPI(
        title="NeuroSense",
        version=VERSION,
        description="The emotions of a sentence, a recording of speech, or both. What the labels "
        "are worth, and where asking is restricted: [responsible use](responsible-use). Speech as "
        "it is spoken goes to the WebSocket `/stream`, which OpenAPI cannot describe: see the "
        "README.",
        lifespan=traced,
        docs_url=None,  # api.docs has it, without what needs a looser policy
        redoc_url=None,
        # FastAPI's own spans hold query strings and exceptions' messages.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.access = Access(chosen)
    app.state.metrics = Metrics()
    app.state.admission = Admission(
        chosen.max_concurrent_requests,
        app.state.metrics,
        chosen.max_timelines,
        chosen.max_streams,
        chosen.max_log_reads,
        max(chosen.max_body_memory_bytes, chosen.max_body_bytes),
    )
    for module in (health, routes, batch, timeline, stream, history, metrics, docs):
        app.include_router(module.router)
    errors.install(app)
    _add_middleware(app, chosen)
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add what every request passes; the last one is the outermost and sees every answer."""
    work = [*routes.router.routes, *batch.router.routes, *timeline.router.routes]
    app.add_middleware(Gate, admission=app.state.admission, routes=work)
    app.state.refusals = Refusals(app.state.admission, app.state.metrics, work)
    app.add_middleware(
        BodyLimit,
        admission=app.state.admission,
        max_bytes=settings.max_body_bytes,
        timeout_s=settings.upload_timeout_s,
        long_bodies={timeline.PATH: settings.max_timeline_body_bytes},
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", trial.HEADER],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observed, metrics=app.state.metrics)
