"""What each endpoint is asked: its body read, checked and documented."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from api.errors import InputError, MalformedBodyError, TooLargeError
from api.fields import MULTIPART, URLENCODED, Form, FormField, FormLimits
from api.forms import JSON, media_type, read_body, read_form
from api.models import Asked
from api.settings import Settings

_Upload = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]
_Weight = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Blank = Annotated[str, Field(pattern=r"^\s*$")]
_WEIGHT: TypeAdapter[float] = TypeAdapter(_Weight)
_JSON_FRAMING_BYTES = 4096
r"""What JSON may have around a text, of which each byte may be written as \uXXXX."""


class TextBody(BaseModel):
    """A sentence."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [{"text": "I love it"}]})

    text: str = Field(description="what was said or written, UTF-8")


class AudioBody(BaseModel):
    """A recording."""

    audio: _Upload = Field(description="an encoded file: WAV, FLAC, OGG, MP3, M4A, WebM …")


class MultimodalBody(BaseModel):
    """A sentence, a recording, or both."""

    text: str | None = Field(None, description="what was said; an empty field is a missing one")
    audio: _Upload | None = Field(None, description="an encoded file: WAV, FLAC, OGG, MP3 …")
    text_weight: _Weight | _Blank | None = Field(
        None, description="weight of the text, 0 to 1; if empty, NEUROSENSE_TEXT_WEIGHT (0.55)"
    )


async def read_text(request: Request, settings: Settings) -> Asked:
    """Read the body of /analyze/text, a form or JSON."""
    if media_type(request) == JSON:
        text: bytes | None = await _text_of_json(request, settings.max_text_bytes)
    else:
        form = await read_form(request, limits_of(settings), also=JSON)
        text = form["text"].value if "text" in form else None
    if text is None:
        raise InputError("text_missing", "the field `text` is missing")
    return Asked(text, None, settings.text_weight)


async def read_audio(request: Request, settings: Settings) -> Asked:
    """Read the body of /analyze/audio, a form."""
    audio = _upload(await read_form(request, limits_of(settings)))
    if audio is None:
        raise InputError("audio_missing", "the file field `audio` is missing")
    return Asked(None, audio, settings.text_weight)


async def read_multimodal(request: Request, settings: Settings) -> Asked:
    """Read the body of /analyze/multimodal, a form. A field left empty was not sent."""
    form = await read_form(request, limits_of(settings))
    text = form.get("text", FormField(b"")).value or None
    audio = _upload(form)
    weight = weight_of(form.get("text_weight", FormField(b"")).value, settings.text_weight)
    if text is None and audio is None:
        raise InputError("nothing_to_analyze", "send `text`, `audio` or both")
    return Asked(text, audio, weight)


def body_of(model: type[BaseModel], *media_types: str) -> dict[str, Any]:
    """Return what an endpoint adds to its OpenAPI entry for a body of `model`."""
    schema = model.model_json_schema()
    content = {media: {"schema": schema} for media in media_types}
    return {"requestBody": {"required": True, "content": content}}


TEXT_OPENAPI = body_of(TextBody, URLENCODED, MULTIPART, JSON)
AUDIO_OPENAPI = body_of(AudioBody, MULTIPART)
MULTIMODAL_OPENAPI = body_of(MultimodalBody, MULTIPART, URLENCODED)


def limits_of(settings: Settings, max_fields: int = 32) -> FormLimits:
    """Return how long the fields of a form may be."""
    ours = {"text": settings.max_text_bytes, "audio": settings.max_upload_bytes}
    return FormLimits(ours, settings.max_text_bytes, max_fields)


async def _text_of_json(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in read_body(request):
        body += piece
        if len(body) > 6 * max_bytes + _JSON_FRAMING_BYTES:
            raise _text_too_large(max_bytes)
    text = _text_in(bytes(body))
    if len(text) > max_bytes:
        raise _text_too_large(max_bytes)
    return text


def _text_too_large(max_bytes: int) -> TooLargeError:
    return FormLimits({"text": max_bytes}, 0).too_large("text")


def _text_in(body: bytes) -> bytes:
    try:
        return TextBody.model_validate_json(body).text.encode()
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
    if problem["type"] == "json_invalid":
        raise MalformedBodyError("malformed_body", f"the body is not JSON: {problem['msg']}")
    raise InputError("invalid_request", 'send {"text": "…"} with a string')


def _upload(form: Form) -> bytes | None:
    """Return the recording; a browser sends an empty, nameless file where none was chosen."""
    field = form.get("audio", FormField(b""))
    return field.value if field.value or field.is_file else None


def weight_of(raw: bytes, default: float) -> float:
    """Return the weight of the text that a form says, or the default for none."""
    if not raw.strip():
        return default
    try:
        return _WEIGHT.validate_python(raw.decode("ascii", "replace"))
    except ValidationError:
        detail = "text_weight must be a number from 0 to 1"
        raise InputError("text_weight_invalid", detail) from None
