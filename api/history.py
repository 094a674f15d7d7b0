"""The endpoints that read the log, and the one that forgets."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BeforeValidator

from api import auth, queries
from api.database import DatabaseError
from api.errors import InputError, NotFoundError, UnavailableError
from api.records import Bucket, LoggedTrack, Page, Record, Stats
from api.schemas import Modality, Problem
from api.service import ServiceDep
from ensemble.labels import EMOTIONS

_LARGEST_PAGE = 500
_MOST_SLICES = 1500
_TIMEOUT_S = 6.0
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: dict[Bucket, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_PROBLEMS: dict[int | str, dict[str, Any]] = auth.PROBLEMS | {
    422: {"model": Problem, "description": "A parameter makes no sense"},
    503: {"model": Problem, "description": "The log's database is away; see Retry-After"},
}
router = APIRouter(tags=["log"], responses=_PROBLEMS)


def _written_out(value: str) -> str:
    """Refuse a number, which would be taken for seconds since 1970, or milliseconds."""
    if value.lstrip("+-").replace(".", "", 1).isdecimal():
        raise ValueError("write a time as 2026-03-01T12:00:00Z")
    return value


_Time = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Since = Annotated[_Time | None, Query(description="from then on, ISO 8601 with its zone")]
Until = Annotated[_Time | None, Query(description="before then, ISO 8601 with its zone")]
Emotion = Annotated[str | None, Query(description="the top emotion, such as JOY")]
Version = Annotated[str | None, Query(max_length=100, pattern=r"^[ -~]*$")]
Tracks = Annotated[
    LoggedTrack | None,
    Query(
        description="current: by the version that was served; canary: by the candidate; shadow: by "
        "the candidate, given to nobody; without it, the first two"
    ),
]
Lacking = Annotated[bool | None, Query(description="only those that (don't) lack one")]


@router.get("/predictions", dependencies=[auth.requires("read")])
async def predictions(
    service: ServiceDep,
    since: Since = None,
    until: Until = None,
    emotion: Emotion = None,
    modality: Modality | None = None,
    model_version: Version = None,
    degraded: Lacking = None,
    track: Tracks = None,
    limit: Annotated[int, Query(ge=1, le=_LARGEST_PAGE)] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> Page:
    """List predictions, the newest first; those that still wait in a spool are not among them."""
    wanted = queries.Wanted(since, until, _known(emotion), modality, model_version, degraded, track)
    after = None if cursor is None else _parsed(cursor)
    rows = await _asked(service, lambda c: queries.page(c, wanted, after, limit + 1))
    records = [Record.model_validate(row) for row in rows[:limit]]
    return Page(predictions=records, next_cursor=_cursor(records[-1]) if rows[limit:] else None)


@router.get("/stats", dependencies=[auth.requires("read")])
async def stats(
    service: ServiceDep,
    since: Since = None,
    until: Until = None,
    bucket: Bucket = "day",
    emotion: Emotion = None,
    modality: Modality | None = None,
    model_version: Version = None,
    degraded: Lacking = None,
    track: Tracks = None,
) -> Stats:
    """Count predictions, as a whole and over time; the last seven days unless told."""
    end = until or datetime.now(UTC)
    start = since or max(end, _FIRST) - timedelta(days=7)
    if not start < end:
        raise InputError("time_invalid", "since must be before until")
    if (end - start) / _STEP[bucket] > _MOST_SLICES:
        detail = f"at most {_MOST_SLICES} slices: shorten the time, or take a longer bucket"
        raise InputError("time_too_long", detail)
    wanted = queries.Wanted(start, end, _known(emotion), modality, model_version, degraded, track)
    whole, slices = await _asked(service, lambda c: queries.statistics(c, wanted, bucket))
    return Stats.of(whole, since=start, until=end, bucket=bucket, over_time=slices)


@router.delete(
    "/predictions/{prediction}",
    status_code=204,
    dependencies=[auth.requires("admin")],
    responses={404: {"model": Problem, "description": "There is no such prediction"}},
)
async def forget(service: ServiceDep, prediction: UUID) -> None:
    """Delete a prediction for good, of a recording with its segments.

    What waits in a spool is not added to the log any more, wherever that is.
    """
    # Before: what leaves the spool afterwards is not added, and would be said to be unknown.
    spooled = await service.log.spools()
    in_log = await _asked(service, lambda c: queries.forget(c, prediction))
    if await service.log.forget_rejected(prediction) or in_log:
        return
    if spooled:
        raise UnavailableError(
            "log_unavailable", "the prediction may still wait for the database: ask again later"
        )
    raise NotFoundError("not_found", "there is no such prediction")


def _known(emotion: str | None) -> str | None:
    """Return the emotion as the log writes it; InputError where it is none."""
    if emotion is not None and emotion.lower() not in EMOTIONS:
        raise InputError("emotion_unknown", f"emotion is one of {', '.join(EMOTIONS).upper()}")
    return None if emotion is None else emotion.upper()


async def _asked(service: ServiceDep, query: Any) -> Any:
    try:
        async with service.admission.reading():
            return await service.log.database.run(query, _TIMEOUT_S)
    except DatabaseError:
        detail = "the prediction log cannot be read at the moment, or not in time"
        raise UnavailableError("log_unavailable", detail) from None


def _cursor(last: Record) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.isoformat()} {last.id}".encode()).decode()


def _parsed(cursor: str) -> tuple[datetime, UUID]:
    try:
        time, prediction = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return datetime.fromisoformat(time), UUID(prediction)
    except (ValueError, binascii.Error):
        raise InputError("cursor_invalid", "cursor is not one that a page gave") from None
