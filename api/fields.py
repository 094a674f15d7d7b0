"""The fields of a form, and how long each may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from api.errors import TooLargeError

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class FormField:
    """A field's bytes, and whether a file was chosen for it (its filename is not empty)."""

    value: bytes
    is_file: bool = False


Fields = list[tuple[str, FormField]]
"""Each field's name and what it holds, in the order sent."""

Form = dict[str, FormField]
"""By name; of two with one name the last."""


@dataclass(frozen=True)
class FormLimits:
    """The most bytes of a field, by name, and of any other field; the most fields.

    What comes in a field of `files` is written to its open file instead of being kept; multipart.
    """

    max_bytes: Mapping[str, int]
    others_max_bytes: int
    max_fields: int = 32
    files: Mapping[str, IO[bytes]] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """Return the limit of a field."""
        return self.max_bytes.get(name, self.others_max_bytes)

    def too_large(self, name: str) -> TooLargeError:
        """Return the error, with the field's name in its code if it is one of ours."""
        known = name if name in self.max_bytes else "field"
        detail = f"{known} has over {self.of(name)} bytes, the most that is taken"
        return TooLargeError(f"{known}_too_large", detail)
