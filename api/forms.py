"""Form bodies to raw bytes.

Framework form parsing hands out str and replaces what is not UTF-8, so a client would get
an answer for a text it never sent. Here a field stays the bytes that came.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.requests import Request

from api.errors import MalformedBodyError, UnsupportedMediaTypeError

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_MAX_FIELDS = 32


@dataclass(frozen=True)
class FormField:
    """A field's bytes, and whether a file was chosen for it (its filename is not empty)."""

    value: bytes
    is_file: bool = False


Form = dict[str, FormField]


def media_type(request: Request) -> str:
    """Return the body's content type without parameters, in lower case; "" for none."""
    kind, _ = parse_options_header(request.headers.get("content-type"))
    return kind.decode("latin-1").lower()


async def read_form(request: Request, *, also: str = "") -> Form:
    """Return the fields of a form by name; of two with one name the last counts.

    Raises:
        UnsupportedMediaTypeError: the body is no form; `also` names what else is taken.
        MalformedBodyError: it cannot be parsed.
    """
    body = await request.body()
    kind = media_type(request)
    if not kind and not body:
        return {}
    if kind not in (URLENCODED, MULTIPART):
        taken = ", ".join(filter(None, (MULTIPART, URLENCODED, also)))
        raise UnsupportedMediaTypeError("unsupported_media_type", f"send the body as {taken}")
    # In a thread: 25 MB of unlucky bytes would hold up every other request.
    return await asyncio.to_thread(parse_form, request.headers["content-type"], body)


def parse_form(content_type: str, body: bytes) -> Form:
    """Return the fields of a whole body; MalformedBodyError where it cannot be parsed."""
    kind, options = parse_options_header(content_type)
    collector = _Collector(unquote=kind.decode("latin-1").lower() == URLENCODED)
    try:
        parser = FormParser(
            kind.decode("latin-1").lower(),
            collector.add_field,
            collector.add_file,
            collector.end,
            boundary=options.get(b"boundary"),
            config={"MAX_MEMORY_FILE_SIZE": float("inf")},
        )
        parser.write(body)
        parser.finalize()
    except (FormParserError, AssertionError):  # it asserts that a part has headers
        raise MalformedBodyError("malformed_body", "the form cannot be parsed") from None
    if not collector.ended:
        raise MalformedBodyError("malformed_body", "the form ends before its last boundary")
    return collector.form


class _Collector:
    """Receives what FormParser finds."""

    def __init__(self, *, unquote: bool) -> None:
        self.form: Form = {}
        self.ended = False
        self._unquote = unquote
        self._count = 0

    def add_field(self, field: Field) -> None:
        """Take a field without a filename."""
        self._add(field.field_name, FormField(self._plain(field.value or b"")))

    def add_file(self, file: File) -> None:
        """Take a field with a filename, perhaps an empty one."""
        file.file_object.seek(0)
        self._add(file.field_name, FormField(file.file_object.read(), bool(file.file_name)))

    def end(self) -> None:
        """Note that the form was complete."""
        self.ended = True

    def _plain(self, quoted: bytes) -> bytes:
        return unquote_to_bytes(quoted.replace(b"+", b" ")) if self._unquote else quoted

    def _add(self, name: bytes | None, field: FormField) -> None:
        self._count += 1
        if self._count > _MAX_FIELDS:
            raise FormParserError("too many fields")
        self.form[self._plain(name or b"").decode("utf-8", "replace")] = field
