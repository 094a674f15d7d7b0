"""A bound on the work inside: what is over it is refused at once, with 503 `overloaded`.

Without one, every queue behind grows until each answer comes too late to be of use, and memory
ends first.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Depends, Request

from api.errors import UnavailableError
from api.metrics import Metrics

_UPLOADS_PER_PLACE = 4
"""Requests inside, of which most still send their body, for each place at the models."""


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


async def _admitted(request: Request) -> AsyncIterator[None]:
    admission: Admission = request.app.state.admission
    with admission.inside():
        yield


ADMITTED: Any = Depends(_admitted)
"""The dependency of a route that makes work; before its body is read."""
