"""Form bodies to raw bytes, within limits that hold while the body comes.

Framework form parsing hands out str and replaces what is not UTF-8, so a client would get
an answer for a text it never sent. Here a field stays the bytes that came.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from api.errors import MalformedBodyError, UnsupportedMediaTypeError
from api.fields import MULTIPART, URLENCODED, Fields, Form, FormLimits
from api.form_reader import FormReader

JSON = "application/json"

T = TypeVar("T")

_PARSED_AT_ONCE_BYTES = 2**20
_PARSED_HERE_BYTES = 2**16


@dataclass(frozen=True)
class ContentType:
    """A body's content type in lower case ("" for none), and a form's boundary."""

    media: str
    boundary: bytes | None

    @classmethod
    def parse(cls, header: str | None) -> "ContentType":
        """Return what the header says."""
        media, options = parse_options_header(header)
        return cls(media.decode("latin-1").lower(), options.get(b"boundary"))


def media_type(request: Request) -> str:
    """Return the body's content type without parameters, in lower case; "" for none."""
    return ContentType.parse(request.headers.get("content-type")).media


async def read_form(request: Request, limits: FormLimits, *, also: str = "") -> Form:
    """Return the fields of a form by name; errors as `read_fields`."""
    return dict(await read_fields(request, limits, also=also))


async def read_fields(request: Request, limits: FormLimits, *, also: str = "") -> Fields:
    """Return the fields of a form, in the order sent.

    Raises:
        UnsupportedMediaTypeError: the body is no form; `also` names what else is taken.
        MalformedBodyError: it cannot be parsed, or has too many fields.
        TooLargeError: a field is over its limit; what comes after it is not read.
    """
    kind = ContentType.parse(request.headers.get("content-type"))
    reader: FormReader | None = None
    size_bytes = 0
    async for pieces in read_body(request):
        if kind.media not in (URLENCODED, MULTIPART):
            raise not_a_form(also)
        reader = reader or _opened(kind, limits)
        size_bytes += len(pieces)
        await _run(size_bytes, _write, reader, pieces)
    if reader is None:
        if kind.media not in ("", URLENCODED, MULTIPART):
            raise not_a_form(also)
        return _end(_opened(kind, limits)) if kind.media else []
    return await _run(size_bytes, _end, reader)


async def _run(size_bytes: int, work: Callable[..., T], *args: Any) -> T:
    """Call `work`; in a thread if 25 MB of unlucky bytes could hold up every other request.

    What is small is done sooner than it is handed to a thread and back.
    """
    if size_bytes <= _PARSED_HERE_BYTES:
        return work(*args)
    return await asyncio.to_thread(work, *args)


async def read_body(request: Request) -> AsyncIterator[bytes]:
    """Yield the body in pieces of about 1 MiB; UnsupportedMediaTypeError if it is compressed."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    collected = bytearray()
    async for piece in request.stream():
        if encoding not in ("", "identity"):
            # Never unpacked: a small body could become any size.
            detail = "send the body as it is, without Content-Encoding"
            raise UnsupportedMediaTypeError("unsupported_content_encoding", detail)
        collected += piece
        if len(collected) >= _PARSED_AT_ONCE_BYTES:
            yield bytes(collected)
            collected.clear()
    if collected:
        yield bytes(collected)


def parse_form(content_type: str, body: bytes, limits: FormLimits) -> Form:
    """Return the fields of a whole body by name; errors as `read_fields`."""
    reader = _opened(ContentType.parse(content_type), limits)
    _write(reader, body)
    return dict(_end(reader))


def _opened(kind: ContentType, limits: FormLimits) -> FormReader:
    try:
        return FormReader(kind.media, kind.boundary, limits)
    except FormParserError:
        raise _malformed("the form cannot be parsed") from None


def _write(reader: FormReader, piece: bytes) -> None:
    try:
        reader.write(piece)
    except FormParserError:
        raise _malformed("the form cannot be parsed") from None


def _end(reader: FormReader) -> Fields:
    try:
        return reader.end()
    except FormParserError:
        raise _malformed("the form ends before its last boundary") from None


def _malformed(detail: str) -> MalformedBodyError:
    return MalformedBodyError("malformed_body", detail)


def not_a_form(also: str) -> UnsupportedMediaTypeError:
    """Return the error of a body that is no form."""
    taken = ", ".join(filter(None, (MULTIPART, URLENCODED, also)))
    return UnsupportedMediaTypeError("unsupported_media_type", f"send the body as {taken}")
