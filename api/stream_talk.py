"""The conversation with one client of a live stream, from the handshake to the close."""

import asyncio
import json
import logging
import time
from contextlib import suppress
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from api import stream_messages
from api.errors import ApiError, UploadTooSlowError
from api.service import Service
from api.stream_messages import End, Options
from api.stream_run import Send, Stream
from ensemble.clips import SAMPLE_RATE_HZ

logger = logging.getLogger("neurosense.api")

FASTEST = 4.0
"""Times real time: what comes faster waits in the connection."""

_BURST_S = 10.0
"""So much sound may come at once."""

_CLOSE_CODES = {400: 1007, 408: 1008, 413: 1009, 422: 1007, 503: 1013}
"""Of a WebSocket, by an error's status."""


class Pace:
    """How long to wait before more sound is read, so that none comes faster than `FASTEST`."""

    def __init__(self) -> None:
        self._full_at_s = 0.0

    def wait_s(self, samples: bytes, now_s: float) -> float:
        """Count samples that came now; return the seconds to wait after them."""
        length_s = len(samples) / (2 * SAMPLE_RATE_HZ)
        self._full_at_s = max(now_s, self._full_at_s) + length_s / FASTEST
        return max(0.0, self._full_at_s - now_s - _BURST_S / FASTEST)


async def talk(websocket: WebSocket, service: Service, options: Options) -> None:
    """Answer until the end, and close; whatever goes wrong is told to the client."""

    async def send(message: dict[str, Any]) -> None:
        await websocket.send_text(json.dumps(message, ensure_ascii=False))

    live = Stream(service, options, send)
    code, started_s = 1011, time.perf_counter()
    try:
        await _whole(websocket, live, send, service.settings.upload_timeout_s)
        code = 1000
        await websocket.close(code)
    except WebSocketDisconnect as left:
        code = left.code
        await _store_what_is_there(live)
    except ApiError as error:
        code = _CLOSE_CODES.get(error.status, 1011)
        await _store_what_is_there(live)
        with suppress(WebSocketDisconnect):
            await send(stream_messages.problem(error))
            await websocket.close(code, error.code)
    finally:
        _note(live, code, time.perf_counter() - started_s)


async def _whole(websocket: WebSocket, live: Stream, send: Send, idle_s: float) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(live.windows())
            tasks.create_task(live.segments())
            await _read(websocket, live, idle_s)
            ended_s = time.perf_counter()
            live.finish()
    except ExceptionGroup as group:  # the first is what ended the others
        raise group.exceptions[0] from None
    await send(await live.last_message((time.perf_counter() - ended_s) * 1000))


async def _read(websocket: WebSocket, live: Stream, idle_s: float) -> None:
    """Hand on what the client sends, until it sends that this was the end."""
    pace, heard_s = Pace(), time.monotonic()
    while True:
        message = await _next(websocket, heard_s + idle_s - time.monotonic())
        if (samples := message.get("bytes")) is not None:
            live.hear(samples)
            await asyncio.sleep(pace.wait_s(samples, time.monotonic()))
            heard_s = time.monotonic() if samples else heard_s
            continue
        told = stream_messages.message_of(message["text"])
        if isinstance(told, End):
            return
        live.read(told)


async def _next(websocket: WebSocket, timeout_s: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout_s):
            message = dict(await websocket.receive())
    except TimeoutError:
        detail = "no sound came for as long as NEUROSENSE_UPLOAD_TIMEOUT_S allows"
        raise UploadTooSlowError("idle_timeout", detail) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    return message


async def _store_what_is_there(live: Stream) -> None:
    try:
        await live.record.store_what_is_there()
    except ApiError as error:
        logger.error("the row of a stream was not stored: %s", error.code)


def _note(live: Stream, code: int, duration_s: float) -> None:
    told = "stream closed with %d after %.1f s: %d segments, %d failed, dropped %d and %d windows"
    dropped = live.dropped
    counts = (live.record.segments, live.failed, dropped["segments"], dropped["windows"])
    logger.info(told, code, duration_s, *counts)
