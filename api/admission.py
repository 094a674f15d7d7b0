"""A bound on the work inside: what is over it is refused at once, with 503 `overloaded`.

Without one, every queue behind grows until each answer comes too late to be of use, and memory
ends first.

A place is one call of the models. A request with many items (a batch) has a place for each item
that is at the models at the time, and its items wait for their turn instead of being refused.
They share half of the places, so that the other half is left to requests with one item; and no
such request has more than a quarter of the places, so that several get on side by side.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import UnavailableError, answer
from api.metrics import Metrics

_UPLOADS_PER_PLACE = 4
"""Requests inside, of which most still send their body, for each place at the models."""

_READING_TURN_S = 1.0

SMALL_BODY_BYTES = 2**20
SMALL_BODY_S = 0.02
"""How long a refusal waits for the rest of such a body, which is mostly there."""


class OverloadedError(UnavailableError):
    """There is more to do than can be done; worth another try a little later."""

    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("overloaded", "more requests than can be answered: try again shortly")


class Admission:
    """One per process. Not locked: the event loop's thread alone uses it.

    A slow upload holds no place at the models: a request takes one when its body is there.
    """

    def __init__(
        self,
        places: int,
        metrics: Metrics,
        recordings: int = 1,
        streams: int = 1,
        reads: int = 1,
        body_bytes: int = 2**27,
    ) -> None:
        self._places = places
        self._taken = 0
        self._inside = 0
        self._recordings_left = recordings
        self._streams_left = streams
        self._body_bytes_left = body_bytes
        self._reads = asyncio.Semaphore(reads)
        self._freed = asyncio.Event()
        self._turns = asyncio.Semaphore(max(1, places // 2))
        self._metrics = metrics
        self.items_at_once = max(1, places // 4)
        """How many items of one request may wait for their turn or have it."""

    @property
    def is_half_taken(self) -> bool:
        """Whether there is more to do than may be added to without need."""
        return self._taken * 2 >= self._places

    @property
    def is_full(self) -> bool:
        """Whether `inside` refuses."""
        return self._taken >= self._places or self._inside >= self._places * _UPLOADS_PER_PLACE

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be one of the requests whose body may be read, or raise OverloadedError."""
        if self.is_full:
            self._refuse()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def hold(self, body_bytes: int) -> None:
        """Count bytes of a body that are in memory from now on, or raise OverloadedError."""
        if body_bytes > self._body_bytes_left:
            self._refuse()
        self._body_bytes_left -= body_bytes

    def let_go(self, body_bytes: int) -> None:
        """Note that so many of those bytes are gone."""
        self._body_bytes_left += body_bytes

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Be one of the long recordings in work, from before the upload on, or OverloadedError."""
        if self._recordings_left <= 0:
            self._refuse()
        self._recordings_left -= 1
        try:
            yield
        finally:
            self._recordings_left += 1

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Be one of the live streams, from before the handshake on, or raise OverloadedError."""
        if self._streams_left <= 0:
            self._refuse()
        self._streams_left -= 1
        try:
            yield
        finally:
            self._streams_left += 1

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Be one of those who ask the log, after a second at most, or raise OverloadedError."""
        await self._acquire(self._reads, _READING_TURN_S)
        try:
            yield
        finally:
            self._reads.release()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place at the models, or raise OverloadedError."""
        if self._taken >= self._places:
            self._refuse()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._freed.set()

    @asynccontextmanager
    async def turn(self, timeout_s: float) -> AsyncIterator[None]:
        """Hold a place for an item once there is one; OverloadedError if there is none in time."""
        await self._acquire(self._turns, timeout_s)
        try:
            await self._free_place(timeout_s)
            with self.place():
                yield
        finally:
            self._turns.release()

    async def _acquire(self, turns: asyncio.Semaphore, timeout_s: float) -> None:
        """Return with a turn of these, or raise OverloadedError if none comes in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await turns.acquire()
        except TimeoutError:
            self._refuse()

    async def _free_place(self, timeout_s: float) -> None:
        """Return when a place is free, or when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._taken >= self._places:
                    self._freed.clear()
                    await self._freed.wait()

    def _refuse(self) -> NoReturn:
        self._metrics.refused("overloaded")
        raise OverloadedError


class Gate:
    """ASGI middleware: what makes work is refused here, before anything is done for it.

    Most of it was refused even before, by `api.refusals`.
    """

    def __init__(self, app: ASGIApp, admission: Admission, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._admission = admission
        self._routes = {route.path: route for route in routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(self._admission.inside())
            except OverloadedError as error:
                scope["route"] = route  # for the metrics
                await _take_what_came(Headers(scope=scope), receive)
                await answer(error)(scope, receive, send)
                return
            await self._app(scope, receive, send)


async def _take_what_came(headers: Headers, receive: Receive) -> None:
    """Take a small body that is here or nearly so: else the connection would have to be closed.

    Under overload, new connections for every attempt would cost more than the refusals.
    """
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > SMALL_BODY_BYTES or "expect" in headers:
        return
    with suppress(TimeoutError, OverloadedError):
        async with asyncio.timeout(SMALL_BODY_S):
            while (await receive()).get("more_body", False):
                pass
