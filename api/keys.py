"""The file of API keys: several, each with a name and scopes, stored as a hash only.

A key is 32 random bytes. Nobody guesses one by trying, so plain SHA-256 protects it: the slow
hashes that passwords need would only make every request slow.
"""

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

Scope = Literal["analyze", "read", "admin"]
"""What a key is for; `admin` may do all of it."""

PREFIX = "ns_"
"""What a key begins with, so that people and scanners for leaked secrets recognise it."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class KeysError(ValueError):
    """The file cannot be read, or the change cannot be made; the text is for people."""


class ApiKey(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern="^[0-9a-f]{8}$", description="names it, and opens nothing")
    name: str = Field(pattern=_NAME)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    created_at: AwareDatetime
    sha256: str = Field(pattern="^[0-9a-f]{64}$", repr=False)

    def may(self, scope: Scope) -> bool:
        """Tell whether it opens what asks for `scope`."""
        return scope in self.scopes or "admin" in self.scopes


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: tuple[ApiKey, ...]


def key_hash(key: str) -> str:
    """Return what is stored of a key: its SHA-256, in hex."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read(path: Path) -> tuple[ApiKey, ...]:
    """Return the keys of a file.

    Raises:
        FileNotFoundError: there is none.
        KeysError: it is there, but broken.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    try:
        return _File.model_validate_json(content).keys
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise KeysError(f"{path} is no file of API keys: {where} {first['msg']}") from None


def create(path: Path, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """Add a key to a file, which is made if need be; return its entry and the key itself.

    Raises:
        KeysError: the name is taken or not allowed, or the file is broken.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    with _changing(path) as keys:
        taken = {word for one in keys for word in (one.id, one.name)}
        if name in taken:
            raise KeysError(f"there is a key {name!r} already: revoke it, or choose another name")
        entry = _entry(name, scopes, key, taken)
        _write(path, (*keys, entry))
    return entry, key


def revoke(path: Path, id_or_name: str) -> ApiKey:
    """Remove a key from a file; return what it was.

    Raises:
        KeysError: there is none of that id or name, or the file is broken.
    """
    with _changing(path) as keys:
        found = [one for one in keys if id_or_name in (one.id, one.name)]
        if not found:
            raise KeysError(f"there is no key {id_or_name!r} in {path}")
        _write(path, tuple(one for one in keys if one not in found))
    return found[0]


def _entry(name: str, scopes: Iterable[str], key: str, taken: set[str]) -> ApiKey:
    new_id = secrets.token_hex(4)
    while new_id in taken:
        new_id = secrets.token_hex(4)
    try:
        return ApiKey.model_validate(
            {
                "id": new_id,
                "name": name,
                "scopes": tuple(dict.fromkeys(scopes)),
                "created_at": datetime.now(UTC).replace(microsecond=0),
                "sha256": key_hash(key),
            }
        )
    except ValidationError:
        raise KeysError(
            "a key needs a scope (analyze, read or admin), and a name of 1 to 64 letters, digits, "
            "dots, dashes and underscores"
        ) from None


@contextmanager
def _changing(path: Path) -> Iterator[tuple[ApiKey, ...]]:
    """Hold the file against other changes; yields its keys, none where there is no file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A file of its own: the one with the keys is replaced while the lock is held.
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield read(path) if path.exists() else ()


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Replace the file at once, readable by its owner only: a reader never sees half of it."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_File(keys=keys).model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
