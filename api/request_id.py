"""The id that one request has in the answer, in Triton, in the logs and in its row."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

HEADER = "X-Request-ID"

_TAKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """Return the id of the request that is being answered, None outside of one."""
    return _current.get()


def request_id(sent: str | None) -> str:
    """Return the client's own id if it is 1 to 64 of `A-Za-z0-9._-`, else a new one."""
    return sent if sent and _TAKEN.fullmatch(sent) else uuid4().hex


@contextmanager
def answering(identity: str) -> Iterator[None]:
    """Let `current_request_id` return `identity` inside the block and in tasks begun there."""
    token = _current.set(identity)
    try:
        yield
    finally:
        _current.reset(token)
