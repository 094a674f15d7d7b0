"""A live stream at the models: windows as far as there is time for them, each segment once."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from api import stream_messages as messages
from api.admission import OverloadedError
from api.errors import ApiError, TooLargeError
from api.models import Asked
from api.service import Found, Service
from api.sound import as_wav
from api.stream_audio import Cut, Hearing
from api.stream_messages import Options, Text
from api.stream_queue import Newest
from api.stream_record import Record
from api.stream_texts import Texts

_WINDOWS, _SEGMENTS = 1, 4
"""So many wait while one is at the models."""

_WINDOW_TURN_S = 2.0
"""A window that waits longer for a place is of no use any more."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Stream:
    """Made and used inside one event loop. `windows` and `segments` run beside the reading."""

    def __init__(self, service: Service, options: Options, send: Send) -> None:
        self.dropped = {"windows": 0, "segments": 0}
        self.failed = 0
        self._service = service
        self._options = options
        self._send = send
        weight = options.text_weight
        self._weight = service.settings.text_weight if weight is None else weight
        self._hearing = Hearing(options.window_s)
        self._texts = Texts()
        self._windows: Newest[Cut] = Newest(_WINDOWS)
        self._segments: Newest[Cut] = Newest(_SEGMENTS)
        self.record = Record(service, self._weight)

    def hear(self, samples: bytes) -> None:
        """Take the next samples; TooLargeError `audio_too_long`, InputError `samples_odd`."""
        most_s = self._service.settings.max_timeline_seconds
        self._queue(self._hearing.hear(samples, time.perf_counter()))
        if self._hearing.duration_s > most_s:
            raise TooLargeError("audio_too_long", f"a stream may have {most_s:g} s: open another")

    def read(self, text: Text) -> None:
        """Take the next text of a live transcript."""
        self._texts.add(text)

    def finish(self) -> None:
        """Nothing more will come: `windows` and `segments` end when they are done."""
        self._texts.end()
        self._queue(self._hearing.finish())
        self._windows.close()
        self._segments.close()

    async def windows(self) -> None:
        """Tell what the last seconds sound like, as often as there is time."""
        while cut := await self._windows.get():
            if not cut.voiced:
                await self._send(messages.silence(cut.start_s, cut.end_s, self.dropped))
                continue
            try:
                found = await self._service.find(self._asked(cut), "stream", _WINDOW_TURN_S)
            except OverloadedError:
                self._drop(cut)
            except ApiError as error:
                await self._tell_problem(cut, error)
            else:
                await self._tell(cut, found)

    async def segments(self) -> None:
        """Tell what was said between two pauses; each answer is in the log before."""
        while cut := await self._segments.get():
            await self._texts.wait_until(cut.end_s, self._options.text_wait_s)
            try:
                timeout_s = self._service.settings.request_timeout_s
                found = await self._service.find(self._asked(cut), "stream", timeout_s)
                await self.record.keep(cut, found)
            except ApiError as error:
                self.failed += 1
                await self._tell_problem(cut, error)
            else:
                await self._tell(cut, found)

    async def last_message(self, latency_ms: float) -> dict[str, Any]:
        """Return it; the stream's row is durable then. UnavailableError: the log takes none."""
        duration_s, record = self._hearing.duration_s, self.record
        await record.store(duration_s, latency_ms)
        counts = {"segments": record.segments, "failed": self.failed, "dropped": self.dropped}
        return messages.end(record.id, duration_s, record.overall, **counts, latency_ms=latency_ms)

    def _queue(self, cuts: list[Cut]) -> None:
        for cut in cuts:
            waiting = self._windows if cut.kind == "window" else self._segments
            if waiting.put(cut):
                self._drop(cut)

    def _drop(self, cut: Cut) -> None:
        self.dropped[f"{cut.kind}s"] += 1
        self._service.metrics.streamed(cut.kind, "dropped")

    def _asked(self, cut: Cut) -> Asked:
        text = self._texts.within(cut.start_s, cut.end_s)
        sent = None if text is None else text.encode("utf-8", "replace")
        return Asked(sent, as_wav(cut.samples), self._weight)

    async def _tell(self, cut: Cut, found: Found) -> None:
        self._service.metrics.streamed(cut.kind, "answered")
        text = found.asked.text
        message = messages.result(
            cut.kind, cut.start_s, cut.end_s, found.answer,
            text=None if text is None else text.decode(),
            latency_ms=_since_ms(cut.received_s), dropped=self.dropped,
        )  # fmt: skip
        await self._send(message)

    async def _tell_problem(self, cut: Cut, error: ApiError) -> None:
        self._service.metrics.streamed(cut.kind, "failed")
        told = {"of": cut.kind, "start": cut.start_s, "end": cut.end_s, "dropped": self.dropped}
        await self._send(messages.problem(error, **told))


def _since_ms(then_s: float) -> float:
    return (time.perf_counter() - then_s) * 1000
