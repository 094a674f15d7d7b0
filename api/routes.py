"""The endpoints that analyse."""

import time
from typing import Any

from fastapi import APIRouter, Request

from api import auth, requests, trial
from api.leaving import unless_left
from api.schemas import Answer, MultimodalAnswer, Problem
from api.service import ServiceDep
from api.tracing import span

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body cannot be parsed"},
    408: {"model": Problem, "description": "The body did not arrive in time"},
    413: {"model": Problem, "description": "The body, the text or the recording is too large"},
    415: {"model": Problem, "description": "The body has a content type that is not taken"},
    422: {"model": Problem, "description": "The content cannot be analysed"},
    503: {"model": Problem, "description": "The models or the log are away; see Retry-After"},
    504: {"model": Problem, "description": "The models did not answer in time"},
}
router = APIRouter(
    prefix="/analyze",
    tags=["analyze"],
    responses=auth.PROBLEMS | PROBLEMS,
    dependencies=[auth.requires("analyze"), trial.choosing],
)


@router.post("/text", openapi_extra=requests.TEXT_OPENAPI)
async def analyze_text(request: Request, service: ServiceDep) -> Answer:
    """Tell the emotions of a sentence."""
    started_s = time.perf_counter()
    with span("read body"):
        asked = await requests.read_text(request, service.settings)
    return await unless_left(request, service.single("text", asked, started_s))


@router.post("/audio", openapi_extra=requests.AUDIO_OPENAPI)
async def analyze_audio(request: Request, service: ServiceDep) -> Answer:
    """Tell the emotions of a recording; `all_scores` has those that the model can express."""
    started_s = time.perf_counter()
    with span("read body"):
        asked = await requests.read_audio(request, service.settings)
    return await unless_left(request, service.single("audio", asked, started_s))


@router.post("/multimodal", openapi_extra=requests.MULTIMODAL_OPENAPI)
async def analyze_multimodal(request: Request, service: ServiceDep) -> MultimodalAnswer:
    """Tell the emotions of a sentence and a recording of it, fused.

    With one of the two missing, or failing (`degraded` says why), the other one answers.
    """
    started_s = time.perf_counter()
    with span("read body"):
        asked = await requests.read_multimodal(request, service.settings)
    return await unless_left(request, service.multimodal(asked, started_s))
