"""A bound on the work inside: what is over it is refused at once, with 503 `overloaded`.

Without one, every queue behind grows until each answer comes too late to be of use, and memory
ends first.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import UnavailableError, answer
from api.metrics import Metrics

_UPLOADS_PER_PLACE = 4
"""Requests inside, of which most still send their body, for each place at the models."""

_SMALL_BODY_BYTES = 2**20
_SMALL_BODY_S = 0.02


class OverloadedError(UnavailableError):
    """There is more to do than can be done; worth another try a little later."""

    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("overloaded", "more requests than can be answered: try again shortly")


class Admission:
    """One per process. Not locked: the event loop's thread alone uses it.

    A slow upload holds no place at the models: a request takes one when its body is there.
    """

    def __init__(self, places: int, metrics: Metrics) -> None:
        self._places = places
        self._taken = 0
        self._inside = 0
        self._metrics = metrics

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be one of the requests whose body may be read, or raise OverloadedError."""
        if self._taken >= self._places or self._inside >= self._places * _UPLOADS_PER_PLACE:
            self._refuse()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

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

    def _refuse(self) -> None:
        self._metrics.refused("overloaded")
        raise OverloadedError


class Gate:
    """ASGI middleware: what makes work is refused here, before anything is done for it."""

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
    if not length.isdecimal() or int(length) > _SMALL_BODY_BYTES or "expect" in headers:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_SMALL_BODY_S):
            while (await receive()).get("more_body", False):
                pass
