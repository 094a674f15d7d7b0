"""The API keys that a running process takes, always those of the file as it is now."""

import hmac
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from api.keys import ApiKey, KeysError, key_hash, read

logger = logging.getLogger("neurosense.api")

_Signature = tuple[int, int, int] | None


class Keyring:
    """Looks at the file before every use, so that a change counts at once in every process.

    A file that cannot be read, is broken or is gone changes nothing: the keys of before stay
    the ones that open, and the log says so.
    """

    def __init__(
        self, path: Path | None, page_key: SecretStr | None = None, page_reads: bool = False
    ) -> None:
        """Read the file; `page_reads` gives the page's key the scope `read` as well.

        Raises:
            KeysError, OSError: it is there and broken; there is no state of before to keep.
        """
        self._path = path
        self._page_key = () if page_key is None else (_of_page(page_key, page_reads),)
        self._seen = None if path is None else _signature(path)
        self._keys: tuple[ApiKey, ...] | None = None
        if path is not None and self._seen is not None:
            self._keys = read(path)

    @property
    def has_file(self) -> bool:
        """Whether there is or was a file of keys, if only an empty one."""
        self._refresh()
        return self._keys is not None

    def __len__(self) -> int:
        """The number of keys that open something."""
        self._refresh()
        return len((*(self._keys or ()), *self._page_key))

    def find(self, key: str) -> ApiKey | None:
        """Return the entry of a key, None for an unknown one.

        Every entry is compared, each in constant time: how long it takes tells nothing.
        """
        self._refresh()
        wanted = key_hash(key)
        found = None
        for entry in (*(self._keys or ()), *self._page_key):
            if hmac.compare_digest(entry.sha256, wanted):
                found = entry
        return found

    def _refresh(self) -> None:
        if self._path is None:
            return
        try:
            if (now := _signature(self._path)) == self._seen:
                return
            self._seen = now  # a broken file is complained about once, not at every request
            self._keys = read(self._path)
            logger.info("API keys: %d in %s", len(self._keys), self._path)
        except (KeysError, OSError) as error:
            logger.error("API keys: %s; those of before stay valid", error)


def _of_page(key: SecretStr, reads: bool) -> ApiKey:
    return ApiKey(
        id="00000000",
        name="page",
        scopes=("analyze", "read") if reads else ("analyze",),
        created_at=datetime.now(UTC),
        sha256=key_hash(key.get_secret_value()),
    )


def _signature(path: Path) -> _Signature:
    """Return what changes when a file does; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  at every request: half the time of Path.stat
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
