"""Puts a form's fields together while its bytes come, none longer than allowed."""

import logging
from typing import IO
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, QuerystringParser, parse_options_header

from api.errors import MalformedBodyError
from api.fields import URLENCODED, Fields, FormField, FormLimits

# It warns of every malformed form with what it holds: a way to fill our logs.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

_MAX_NAME_BYTES = 256
_MAX_HEADERS = 8
"""Of a part; each may have 4 KiB."""

_PLAIN = (b"", b"binary", b"8bit", b"7bit")


class FormReader:
    """Gets a form's bytes piece by piece; FormParserError or TooLargeError as soon as known."""

    def __init__(self, media_type: str, boundary: bytes | None, limits: FormLimits) -> None:
        self._limits = limits
        self._quoted = media_type == URLENCODED
        self._fields: Fields = []
        self._count = 0
        self._ended = False
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._parser = self._quoted_parser() if self._quoted else self._multipart_parser(boundary)

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._parser.write(piece)

    def end(self) -> Fields:
        """Return the fields; FormParserError if the form is cut off."""
        self._parser.finalize()
        if not self._ended:
            raise FormParserError("cut off")
        return self._fields

    def _quoted_parser(self) -> QuerystringParser:
        return QuerystringParser(
            {
                "on_field_start": self._begin,
                "on_field_name": self._add_to_name,
                "on_field_data": self._add_to_value,
                "on_field_end": self._finish,
                "on_end": self._set_ended,
            }
        )

    def _multipart_parser(self, boundary: bytes | None) -> MultipartParser:
        if boundary is None:
            raise FormParserError("no boundary")
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_to_header_name,
                "on_header_value": self._add_to_header_value,
                "on_header_end": self._finish_header,
                "on_headers_finished": self._read_headers,
                "on_part_data": self._add_to_value,
                "on_part_end": self._finish,
                "on_end": self._set_ended,
            },
            max_header_count=_MAX_HEADERS,
        )

    def _begin(self) -> None:
        self._count += 1
        if self._count > self._limits.max_fields:
            detail = f"the form has more than {self._limits.max_fields} fields"
            raise MalformedBodyError("malformed_body", detail)
        self._name = bytearray()
        self._value = bytearray()
        self._value_bytes = 0
        self._max_value_bytes: int | None = None
        self._file: IO[bytes] | None = None
        self._is_file = False
        self._headers: dict[bytes, bytes] = {}

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        if len(self._name) > _MAX_NAME_BYTES:
            raise FormParserError("field name too long")

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        if self._max_value_bytes is None:  # %41 is one byte: what it is now may be a third
            self._max_value_bytes = self._limits.of(self._plain_name()) * (3 if self._quoted else 1)
            self._file = self._emptied_file()
        self._value_bytes += end - start
        if self._file is None:
            self._value += data[start:end]
        else:
            self._file.write(data[start:end])
        if self._value_bytes > self._max_value_bytes:
            raise self._limits.too_large(self._plain_name())

    def _emptied_file(self) -> IO[bytes] | None:
        """Return the file that this field is written to, None for a field that is kept."""
        file = None if self._quoted else self._limits.files.get(self._plain_name())
        if file is not None:  # of two fields with one name the last counts
            file.seek(0)
            file.truncate()
        return file

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _finish_header(self) -> None:
        self._headers[bytes(self._header_name).lower()] = bytes(self._header_value).strip(b" \t")
        self._header_name.clear()
        self._header_value.clear()

    def _read_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise FormParserError("a part without a name")
        self._name = bytearray(options[b"name"])
        self._is_file = bool(options.get(b"filename"))
        if self._headers.get(b"content-transfer-encoding", b"").lower() not in _PLAIN:
            raise FormParserError("RFC 7578 has no transfer encodings")

    def _finish(self) -> None:
        name, value = self._plain_name(), self._plain(bytes(self._value))
        if len(value) > self._limits.of(name):
            raise self._limits.too_large(name)
        self._fields.append((name, FormField(value, self._is_file)))
        self._value = bytearray()

    def _set_ended(self) -> None:
        self._ended = True

    def _plain_name(self) -> str:
        return self._plain(bytes(self._name)).decode("utf-8", "replace")

    def _plain(self, quoted: bytes) -> bytes:
        return unquote_to_bytes(quoted.replace(b"+", b" ")) if self._quoted else quoted
