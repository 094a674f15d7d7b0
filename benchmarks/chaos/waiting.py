"""Waiting for what comes by itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def within(limit_s: float, happened: Callable[[], Awaitable[bool]]) -> bool:
    """Return whether something happens within a time."""
    deadline_s = time.monotonic() + limit_s
    while not await happened():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(0.2)
    return True
