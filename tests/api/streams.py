"""A client of WS /stream for tests."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.recordings import Samples

SECOND = 32_000
"""Bytes of a second of 16 kHz, 16 bits."""


def pcm(samples: Samples) -> bytes:
    """Return samples [n] as 16-bit little-endian."""
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def seconds(sound: bytes, step_s: float = 1.0) -> Iterator[bytes]:
    step = 2 * round(step_s * SECOND / 2)
    for start in range(0, len(sound), step):
        yield sound[start : start + step]


def open_stream(url: httpx.URL | str, query: str = "", **options: Any) -> Connection:
    address = str(url).replace("http://", "ws://").rstrip("/")
    return connect(f"{address}/stream{query}", proxy=None, max_queue=None, **options)


def read(stream: Connection, timeout_s: float = 60) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(stream.recv(timeout_s))
    return message


def read_until(stream: Connection, kind: str) -> list[dict[str, Any]]:
    """Return what comes, the first of `kind` last."""
    told = [read(stream)]
    while told[-1]["type"] != kind:
        told.append(read(stream))
    return told


def end(stream: Connection) -> list[dict[str, Any]]:
    """Say that this was the end; return what comes until the server closes well."""
    stream.send('{"type": "end"}')
    told = read_until(stream, "end")
    stream.close()
    assert (stream.close_code, stream.close_reason) == (1000, "")
    return told


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in told if one["type"] == kind]
