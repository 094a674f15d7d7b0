"""The endpoints for probes and for people who look in."""

import asyncio
from datetime import UTC, datetime

from fastapi import APIRouter, Request

from api import VERSION
from api.errors import UnavailableError
from api.schemas import Health, Live, Problem, Ready, Root
from api.service import ServiceDep

_TIMEOUT_S = 0.7
"""Probes wait a second at most, and hear also of what hangs."""

router = APIRouter(tags=["health"])


@router.get("/")
async def root(service: ServiceDep) -> Root:
    """Say what this is and which models answer."""
    loaded = await service.models.loaded(_TIMEOUT_S)
    models = {"text": loaded.get("text"), "audio": loaded.get("audio")}
    return Root.model_validate(
        {"service": "neurosense", "status": "ok", "version": VERSION, "models": models}
        | {"trial": service.trials.running}
    )


@router.get("/health")
async def health(request: Request, service: ServiceDep) -> Health:
    """Answer as long as the process does, and say whose weights are served."""
    loaded = await service.models.loaded(_TIMEOUT_S)
    return Health(
        status="ok",
        timestamp=datetime.now(UTC),
        weights={
            "text": loaded["text"].weights if "text" in loaded else None,
            "audio": loaded["audio"].weights if "audio" in loaded else None,
        },
        needs_key=not request.app.state.access.is_open_to(request),
    )


@router.get("/health/live")
async def live() -> Live:
    """Answer; touches nothing else."""
    return Live(status="ok")


@router.get(
    "/health/ready", responses={503: {"model": Problem, "description": "Says what is missing"}}
)
async def ready(service: ServiceDep) -> Ready:
    """Answer 200 when every model does and the log takes rows.

    `log` is `degraded` while rows wait on this machine for a database that does not take them.
    """
    missing, log = await asyncio.gather(
        service.models.missing(_TIMEOUT_S), service.log.state(_TIMEOUT_S)
    )
    if log == "full":
        missing.append("prediction log (its database takes no rows, and its spool is full)")
    if missing or log == "full":
        raise UnavailableError("not_ready", f"missing: {', '.join(missing)}")
    return Ready(status="ok", log=log)
