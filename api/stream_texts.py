"""A live transcript: what was said when, as far as it is known yet."""

import asyncio
import math
from collections import deque
from contextlib import suppress

from api.stream_messages import Text

_MOST = 50
_EARLY_S = 0.5
"""A transcript's last word may end so much before the sound of it does."""


class Texts:
    """The last texts of a stream; the event loop's thread alone uses it."""

    def __init__(self) -> None:
        self._texts: deque[Text] = deque(maxlen=_MOST)
        self._until_s = 0.0
        self._more = asyncio.Event()

    def add(self, text: Text) -> None:
        """Take the next one."""
        self._texts.append(text)
        self._until_s = max(self._until_s, text.end)
        self._more.set()

    def end(self) -> None:
        """No more will come: nobody waits for it any longer."""
        self._until_s = math.inf
        self._more.set()

    def within(self, start_s: float, end_s: float) -> str | None:
        """Return what was said then: the texts of which the middle lies there."""
        inside = [
            one for one in self._texts
            if start_s <= (one.start + one.end) / 2 < end_s and one.text.strip()
        ]  # fmt: skip
        inside.sort(key=lambda one: one.start)
        return " ".join(one.text.strip() for one in inside) or None

    async def wait_until(self, end_s: float, timeout_s: float) -> None:
        """Return when the transcript has come as far as that, or when the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._until_s < end_s - _EARLY_S:
                    self._more.clear()
                    await self._more.wait()
