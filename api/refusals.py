"""Refusals at the door: under overload, an answer before there is a request to the application.

On the way through it a refusal costs several times as much, on the cores that the answers need.
`api.admission.Gate` refuses what these leave to it: what needs more than one glance at its head.
"""

import time
from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Route

from api import headers, tracing
from api.admission import SMALL_BODY_BYTES, Admission, OverloadedError
from api.errors import answer
from api.metrics import Metrics
from api.observed import note
from api.request_id import HEADER, answering, request_id

Header = tuple[bytes, bytes]
"""A name in lower case and a value."""

_ANSWER = answer(OverloadedError())
_BODY = bytes(_ANSWER.body)
_HEADERS = (*_ANSWER.raw_headers, *headers.RAW)
_SLOWER = {b"expect", b"origin", b"transfer-encoding", b"upgrade"}
"""Headers of requests to which the application has more to say than that it is busy."""


class Refusal:
    """One request's, that waits for the end of its body."""

    def __init__(self, metrics: Metrics, route: str, identity: str) -> None:
        self._metrics = metrics
        self._route = route
        self._identity = identity
        self._started_s = time.perf_counter()

    def answer(self, default_headers: Sequence[Header]) -> bytes:
        """Return the whole answer, and have it counted and logged."""
        with answering(self._identity):
            self._metrics.refused("overloaded")
            note(self._metrics, self._route, "POST", 503, time.perf_counter() - self._started_s)
        identity = (HEADER.lower().encode(), self._identity.encode())
        lines = [b"%s: %s\r\n" % header for header in (*default_headers, *_HEADERS, identity)]
        return b"HTTP/1.1 503 Service Unavailable\r\n%s\r\n%s" % (b"".join(lines), _BODY)


class Refusals:
    """One per process: who is refused, which is whom `Gate` would refuse."""

    def __init__(self, admission: Admission, metrics: Metrics, routes: Iterable[BaseRoute]) -> None:
        self._admission = admission
        self._metrics = metrics
        paths = [route.path for route in routes if isinstance(route, Route)]
        self._paths = {path.encode(): path for path in paths}

    def find(self, method: bytes, url: bytes, sent: Sequence[Header]) -> Refusal | None:
        """Return the refusal of a request with this head, None where the application answers."""
        if not self._admission.is_full or method != b"POST" or tracing.is_on():
            return None
        route = self._paths.get(url.partition(b"?")[0])
        fields = dict(sent)
        if route is None or not _SLOWER.isdisjoint(fields):
            return None
        length = fields.get(b"content-length", b"")
        if not length.isdigit() or int(length) > SMALL_BODY_BYTES:
            return None
        identity = fields.get(HEADER.lower().encode(), b"").decode("latin-1")
        return Refusal(self._metrics, route, request_id(identity))
