"""What goes over a live stream: its parameters, and the messages in both directions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from api.errors import ApiError, InputError
from api.schemas import MultimodalAnswer, SubResult
from ensemble.clips import SAMPLE_RATE_HZ

_LONGEST_TEXT = 4000
_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Dropped = Mapping[str, int]
"""How many windows and segments were dropped so far, because they came faster than answers."""


class Options(BaseModel):
    """The query of `WS /stream`."""

    model_config = ConfigDict(extra="forbid")

    sample_rate: int = SAMPLE_RATE_HZ
    window_s: float = Field(4.0, ge=1, le=15, allow_inf_nan=False)
    text_wait_s: float = Field(0.0, ge=0, le=10, allow_inf_nan=False)
    text_weight: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)

    @field_validator("sample_rate")
    @classmethod
    def _the_models_rate(cls, rate_hz: int) -> int:
        if rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(f"resample to {SAMPLE_RATE_HZ} Hz, mono, 16 bits")
        return rate_hz


class Text(BaseModel):
    """What was said when, in seconds from the stream's first sample."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    start: _Seconds
    end: _Seconds
    text: str = Field(max_length=_LONGEST_TEXT)


class End(BaseModel):
    """Nothing more will come."""

    type: Literal["end"]


_SENT: TypeAdapter[Text | End] = TypeAdapter(Annotated[Text | End, Field(discriminator="type")])


def options_of(query: Mapping[str, str]) -> Options:
    """Return a stream's parameters; InputError `invalid_request`."""
    try:
        return Options.model_validate(query)
    except ValidationError as error:
        raise InputError("invalid_request", _first(error)) from None


def message_of(sent: str) -> Text | End:
    """Return a client's text message; InputError `message_invalid`."""
    try:
        message = _SENT.validate_json(sent)
    except ValidationError as error:
        raise InputError("message_invalid", _first(error, tags=1)) from None
    if isinstance(message, Text) and message.end <= message.start:
        raise InputError("message_invalid", "end: must be later than start")
    return message


def result(
    kind: str, start_s: float, end_s: float, answer: MultimodalAnswer, **more: Any
) -> dict[str, Any]:
    """Return the message of a window or a segment; a window is in no log, so it has no id."""
    fields = answer.model_dump(mode="json", exclude={"id"} if kind == "window" else None)
    return {"type": kind, "start": start_s, "end": end_s, **fields, **more}


def silence(start_s: float, end_s: float, dropped: Dropped) -> dict[str, Any]:
    """Return the message of a window in which nobody speaks."""
    return {"type": "silence", "start": start_s, "end": end_s, "dropped": dropped}


def problem(error: ApiError, **more: Any) -> dict[str, Any]:
    """Return the message of an error; with `start` and `end` the stream goes on."""
    return {"type": "error", "detail": error.detail, "code": error.code, **more}


def end(
    identity: UUID | None, duration_s: float, overall: SubResult | None, **counts: Any
) -> dict[str, Any]:
    """Return the last message; without an answered segment there is no row and no `overall`."""
    return {
        "type": "end",
        "id": None if identity is None else str(identity),
        "duration_s": duration_s,
        "overall": None if overall is None else overall.model_dump(mode="json"),
        **counts,
    }


def _first(error: ValidationError, tags: int = 0) -> str:
    """Return the first problem in words; a union's tag stands before a field's name."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, problem["loc"][tags:]))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
