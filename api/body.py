"""Limits on request bodies that hold while they are read, and answers that arrive.

A server that answers and closes while the client still sends resets the connection, and the
client may never see the answer. So an early answer is sent at once, what still comes is read
and dropped for a while, and then the connection closes.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import Admission
from api.errors import TooLargeError, UploadTooSlowError

LEAST_BYTES_PER_S = 2**16
"""Half a megabit: slower lines than this are rare, and who holds a connection open on purpose must
pay for it."""

_DRAIN_S = 10.0
"""How long a client may go on sending after its answer."""


class BodyLimit:
    """ASGI middleware: reading a body raises TooLargeError, UploadTooSlowError or OverloadedError.

    The first beyond `max_bytes`; the second where not all has come `timeout_s` after its head; the
    third where all bodies that are in memory are more than may be.
    Bodies on the paths of `long_bodies`, with their own most bytes, go into a file. They may take
    longer, while they come at `LEAST_BYTES_PER_S` on average without a pause of `timeout_s`.
    """

    def __init__(
        self,
        app: ASGIApp,
        admission: Admission,
        max_bytes: int,
        timeout_s: float,
        long_bodies: Mapping[str, int],
    ) -> None:
        self._app = app
        self._admission = admission
        self._max_bytes = max_bytes
        self._long_bodies = long_bodies
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            long = self._long_bodies.get(scope["path"])
            memory = self._admission if long is None else None
            max_bytes = long or self._max_bytes
            exchange = _Exchange(scope, receive, send, max_bytes, self._timeout_s, memory)
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                self._admission.let_go(exchange.held_bytes)
            await exchange.end()  # only now: a client that goes on sending holds nothing inside
        else:
            await self._app(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        max_bytes: int,
        timeout_s: float,
        memory: Admission | None,
    ) -> None:
        headers = Headers(scope=scope)
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._is_long = memory is None
        self._started_s = asyncio.get_running_loop().time()
        self._received_bytes = 0
        self._memory = memory
        self.held_bytes = 0
        length = headers.get("content-length", "0")
        self._declared_bytes = int(length) if length.isdecimal() else 0
        self._unread = self._declared_bytes > 0 or "transfer-encoding" in headers
        self._sends_at_once = headers.get("expect", "").lower() != "100-continue"
        self._answered_early = False

    async def receive(self) -> Message:
        """Pass the next piece of the body on, if the body is within the limit."""
        if self._declared_bytes > self._max_bytes:
            raise self._too_large()
        self._sends_at_once = True  # asking for the body invites one that waits
        message = await self._next()
        self._received_bytes += len(message.get("body", b""))
        self._unread = message.get("more_body", False)
        if self._received_bytes > self._max_bytes:
            raise self._too_large()
        if self._memory is not None:
            self._memory.hold(len(message.get("body", b"")))
            self.held_bytes = self._received_bytes
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on; one that comes early ends with the connection."""
        if not self._unread:
            await self._send(message)
        elif message["type"] == "http.response.start":
            MutableHeaders(scope=message)["connection"] = "close"
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            self._answered_early = not message.get("more_body", False)

    async def end(self) -> None:
        """End an early answer, when the client has sent the rest or has had its time for that."""
        if self._answered_early:
            await self._drain()
            await self._send({"type": "http.response.body"})

    async def _drain(self) -> None:
        if not self._sends_at_once:
            return
        try:
            async with asyncio.timeout(_DRAIN_S):
                while self._unread:
                    message = await self._receive()
                    self._unread = message.get("more_body", False)
        except TimeoutError:
            pass

    async def _next(self) -> Message:
        if not self._unread:  # the body is there; what comes is that the client leaves
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline_s()):
                return await self._receive()
        except TimeoutError:
            raise UploadTooSlowError("upload_too_slow", self._too_slow()) from None

    def _deadline_s(self) -> float:
        """Return when the next piece must be there, by the event loop's clock."""
        if not self._is_long:
            return self._started_s + self._timeout_s
        earned_s = self._received_bytes / LEAST_BYTES_PER_S
        from_s = min(self._started_s + earned_s, asyncio.get_running_loop().time())
        return from_s + self._timeout_s

    def _too_slow(self) -> str:
        if not self._is_long:
            return f"the request body did not arrive within {self._timeout_s:g} s"
        return (
            f"the request body came at less than {LEAST_BYTES_PER_S // 1024} KiB a second, or "
            f"paused for {self._timeout_s:g} s"
        )

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            "body_too_large", f"the request body is over the limit of {self._max_bytes} bytes"
        )
