"""What waits for its turn while newer things come: so much, and then the oldest goes."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Newest(Generic[_T]):
    """Holds at most `most` items. Not locked: the event loop's thread alone uses it."""

    def __init__(self, most: int) -> None:
        self._waiting: deque[_T] = deque()
        self._most = most
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, item: _T) -> int:
        """Add the newest; return how many had to go for it."""
        over = len(self._waiting) >= self._most
        if over:
            self._waiting.popleft()
        self._waiting.append(item)
        self._changed.set()
        return int(over)

    def close(self) -> None:
        """Nothing more will come."""
        self._closed = True
        self._changed.set()

    async def get(self) -> _T | None:
        """Return the oldest that is left, None after the last one."""
        while not self._waiting and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft() if self._waiting else None
