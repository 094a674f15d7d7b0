"""POST /analyze/batch: many texts and recordings in one call, each with its answer or its error."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from api import auth, trial
from api.errors import ApiError, InputError, MalformedBodyError
from api.fields import MULTIPART, Fields
from api.forms import JSON, media_type, read_body, read_fields
from api.leaving import unless_left
from api.models import Asked
from api.requests import body_of, limits_of
from api.routes import PROBLEMS
from api.schemas import Answer, Problem
from api.service import Service, ServiceDep
from api.settings import Settings
from api.tracing import span

_OTHER_FIELDS = 32
_Upload = Annotated[str, WithJsonSchema({"type": "string", "format": "binary"})]


class BatchTexts(BaseModel):
    """Sentences."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"examples": [{"texts": ["I love it", "I hate it"]}]}
    )

    texts: list[str] = Field(min_length=1, description="what was said or written, UTF-8")


class BatchForm(BaseModel):
    """Fields that may be repeated, each an item: a text beside a recording is not fused with it."""

    text: list[str] | str | None = Field(None, description="a sentence, UTF-8")
    audio: list[_Upload] | _Upload | None = Field(None, description="an encoded file")


class BatchAnswer(BaseModel):
    """What became of each item."""

    results: list[Answer | Problem] = Field(
        description="in the order sent: the item's answer, or its error"
    )
    failed: int = Field(description="how many of the results are errors")


router = APIRouter(
    prefix="/analyze",
    tags=["analyze"],
    responses=auth.PROBLEMS | PROBLEMS,
    dependencies=[auth.requires("analyze"), trial.choosing],
)
_OPENAPI = body_of(BatchForm, MULTIPART)
_OPENAPI["requestBody"]["content"] |= body_of(BatchTexts, JSON)["requestBody"]["content"]


@router.post("/batch", openapi_extra=_OPENAPI)
async def analyze_batch(request: Request, service: ServiceDep) -> BatchAnswer:
    """Tell the emotions of many sentences or recordings, each for itself.

    An item that cannot be analysed costs the others nothing. What is over a limit of size or
    number refuses the whole batch, and so does it if no item can be answered at the moment.
    """
    with span("read body"):
        items = await _read(request, service.settings)
    return await unless_left(request, _answered(service, items))


async def _answered(service: Service, items: Sequence[Asked]) -> BatchAnswer:
    at_once = asyncio.Semaphore(service.admission.items_at_once)

    async def one(asked: Asked) -> Answer | ApiError:
        async with at_once:
            try:
                return await service.item(asked)
            except ApiError as error:
                return error

    found = await asyncio.gather(*map(one, items))
    failures = [one for one in found if isinstance(one, ApiError)]
    if len(failures) == len(found) and all(one.retry_after_s for one in failures):
        raise failures[0]  # who looks at the status alone learns that it is worth another try
    results = [_told(one) if isinstance(one, ApiError) else one for one in found]
    return BatchAnswer(results=results, failed=len(failures))


def _told(error: ApiError) -> Problem:
    return Problem(detail=error.detail, code=error.code)


async def _read(request: Request, settings: Settings) -> list[Asked]:
    most, weight = settings.max_batch_items, settings.text_weight
    if media_type(request) == JSON:
        texts = await _texts(request, settings)
        items = [Asked(text, None, weight) for text in texts]
    else:
        limits = limits_of(settings, most + _OTHER_FIELDS)
        items = _items(await read_fields(request, limits, also=JSON), weight)
    if not items:
        raise InputError("nothing_to_analyze", "send `text` or `audio`, once or more often")
    if len(items) > most:
        raise InputError("batch_too_long", f"the batch has {len(items)} items, at most {most} go")
    return items


def _items(fields: Fields, weight: float) -> list[Asked]:
    return [
        Asked(field.value, None, weight) if name == "text" else Asked(None, field.value, weight)
        for name, field in fields
        if name in ("text", "audio")
    ]


async def _texts(request: Request, settings: Settings) -> list[bytes]:
    pieces = [piece async for piece in read_body(request)]
    # In a thread: megabytes of JSON would hold up every other request.
    texts = await asyncio.to_thread(_parsed, b"".join(pieces))
    if max(map(len, texts)) > settings.max_text_bytes:
        raise limits_of(settings).too_large("text")
    return texts


def _parsed(body: bytes) -> list[bytes]:
    try:
        return [text.encode() for text in BatchTexts.model_validate_json(body).texts]
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
    if problem["type"] == "json_invalid":
        raise MalformedBodyError("malformed_body", f"the body is not JSON: {problem['msg']}")
    raise InputError("invalid_request", 'send {"texts": ["…", "…"]} with one string or more')
