"""uvicorn's HTTP, for a bounded number of connections, each of which must say what it wants."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.admission import SMALL_BODY_S
from api.refusals import Refusal, Refusals

_HEAD_S = 30.0
"""How long a connection may be open without a request, and the head of one may take to arrive."""

_NO_ROOM = b'{"detail": "too many connections: try again shortly", "code": "overloaded"}'
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_NO_ROOM), _NO_ROOM)
)


class HttpProtocol(HttpToolsProtocol):
    """Cuts a connection that asks nothing; over the bound, the one that needs it the least.

    uvicorn's own `limit_concurrency` refuses requests, and keeps their connections.
    """

    max_connections = 1000
    refusals: Refusals | None = None

    _refusal: Refusal | None = None
    _body: list[bytes]  # of the request that is to be refused
    _late: asyncio.TimerHandle | None = None
    _head: asyncio.TimerHandle | None = None
    _idle_since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if need be for another one."""
        super().connection_made(transport)
        self._idle_since_s = self.loop.time()
        self._await_head()
        if len(self.connections) > self.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read on, and note whether the head of a request is there."""
        super().data_received(data)
        if self._refusal is not None and self._late is None:
            self._late = self.loop.call_later(SMALL_BODY_S, self._hand_over)
        if self._is_busy or self not in self.connections:  # it is a WebSocket's now
            self._forget()
        elif self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Hand a request to the application, unless it is to be refused."""
        if self.refusals is not None and not self._is_busy:
            self._refusal = self.refusals.find(self.parser.get_method(), self.url, self.headers)
            self._body = []
        if self._refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take what comes with a refused request: to close instead would cost a new connection."""
        if self._refusal is None:
            super().on_body(body)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Refuse what is to be refused."""
        if self._refusal is None:
            super().on_message_complete()
            return
        self.transport.write(self._refusal.answer(self.server_state.default_headers))
        self._refuse_nothing()
        if not self.parser.should_keep_alive():
            self.transport.close()
        self.on_response_complete()

    def _hand_over(self) -> None:
        """Let the application refuse a request whose body is slow: it need not wait for that."""
        self._refuse_nothing()
        self._forget()
        super().on_headers_complete()
        for piece in self._body:
            super().on_body(piece)

    def _refuse_nothing(self) -> None:
        self._refusal = None
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def on_response_complete(self) -> None:
        """Note that the client has its answer."""
        self._idle_since_s = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._forget()
        self._refuse_nothing()
        super().connection_lost(exc)

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _may_go(self) -> bool:
        """Whether it waits for its client: for a request, for more after its answer, to read."""
        if self.transport.is_closing():
            return False
        answered_early = self._is_busy and self.cycle.response_started and self.cycle.more_body
        return not self._is_busy or answered_early or self.flow.write_paused

    def _make_room(self) -> None:
        others = (one for one in self.connections if one is not self)
        idle = [one for one in others if isinstance(one, HttpProtocol) and one._may_go]
        if idle:
            min(idle, key=HttpProtocol._worth).transport.abort()
        else:
            self.transport.write(_REFUSAL)
            self.transport.close()

    def _worth(self) -> tuple[bool, float]:
        """Return what sorts who asked something before behind who never did, then the newest."""
        return self.cycle is not None, self._idle_since_s

    def _await_head(self) -> None:
        self._head = self.loop.call_later(_HEAD_S, self.transport.close)

    def _forget(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def bounded(max_connections: int, refusals: Refusals | None = None) -> type[HttpProtocol]:
    """Return the protocol with a bound of its own, which refuses what is to be refused."""
    own = {"max_connections": max_connections, "refusals": refusals}
    return type("BoundedHttpProtocol", (HttpProtocol,), own)
