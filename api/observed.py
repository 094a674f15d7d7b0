"""Every request seen from outside: its id, its metrics, its line in the log, its span."""

import logging
import time
from contextlib import AbstractContextManager, nullcontext

from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.request_id import HEADER, answering, request_id
from api.tracing import parent_of, span

logger = logging.getLogger("neurosense.access")

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_CLIENT_LEFT = 499
"""The code in metrics and logs of a request whose client left before it was read."""


class Observed:
    """ASGI middleware, the outermost one: also what the others answer is seen."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identity = request_id(headers.get(HEADER))
        parent = parent_of(headers.get("traceparent"))
        with answering(identity), span("request", kind=SpanKind.SERVER, parent=parent) as current:
            exchange = _Exchange(send, identity)
            try:
                with self._in_progress(scope):
                    await self._app(scope, receive, exchange.send)
            except Exception:
                exchange.end(500)
                raise
            finally:
                exchange.end(_CLIENT_LEFT)
                self._note(scope, exchange, current)

    def _in_progress(self, scope: Scope) -> AbstractContextManager[object]:
        if scope["type"] == "websocket":  # answered at its handshake, and open long after it
            return nullcontext()
        return self._metrics.in_progress.track_inprogress()

    def _note(self, scope: Scope, exchange: "_Exchange", current: Span) -> None:
        route, method, status = _route(scope), _method(scope), exchange.status
        note(self._metrics, route, method, status, exchange.duration_s)
        current.update_name(f"{method} {route}")
        current.set_attribute("http.request.method", method)
        current.set_attribute("http.route", route)
        current.set_attribute("http.response.status_code", status)
        current.set_attribute("neurosense.request_id", exchange.identity)
        if status >= 500:
            current.set_status(StatusCode.ERROR)


def note(metrics: Metrics, route: str, method: str, status: int, duration_s: float) -> None:
    """Count an answer, and write its line."""
    metrics.answered(route, method, status, duration_s)
    duration_ms = round(duration_s * 1000, 3)
    fields = {"route": route, "method": method, "status": status, "duration_ms": duration_ms}
    logger.info("%s %s %d %.1f ms", method, route, status, duration_ms, extra=fields)


class _Exchange:
    """When a request came, and when and how its answer went out."""

    def __init__(self, send: Send, identity: str) -> None:
        self._send = send
        self.identity = identity
        self._started_s = time.perf_counter()
        self.status = 0
        self.duration_s = 0.0

    async def send(self, message: Message) -> None:
        """Pass the answer on, with the request's id."""
        if message["type"] in _HEADS:
            # Ended here: after an early answer, what the client still sends is read for a while.
            self.end(message.get("status", 101))
            message.setdefault("headers", [])
            MutableHeaders(scope=message)[HEADER] = self.identity
        await self._send(message)

    def end(self, status: int) -> None:
        """Note the end, unless it was noted before."""
        if not self.status:
            self.status = status
            self.duration_s = time.perf_counter() - self._started_s


def _route(scope: Scope) -> str:
    """Return the route's template; the path itself may hold anything."""
    return getattr(scope.get("route"), "path_format", "unmatched")


def _method(scope: Scope) -> str:
    method = scope.get("method", "GET")  # a WebSocket's handshake is a GET
    return method if method in _METHODS else "OTHER"
