"""`python -m benchmarks.live`: how soon after the sound a live stream is answered.

Streams of a person reading, in real time, one and then several at once.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.inputs import equal_clips
from benchmarks.stack import running_stack, served_models
from benchmarks.tables import markdown

_PIECE_S = 0.1
_BYTES_PER_S = 32_000
_WAV_HEAD_BYTES = 44
_WARM_UP_S = 3.0

Messages = list[dict[str, Any]]


def measure(url: str, count: int, seconds: float) -> Messages:
    """Return what so many streams at once, each of so many seconds, are told."""

    async def run() -> Messages:
        clips = equal_clips(seconds, count)
        streams = [_stream(url, one.encoded[_WAV_HEAD_BYTES:]) for one in clips]
        return [message for told in await asyncio.gather(*streams) for message in told]

    return asyncio.run(run())


async def _stream(url: str, sound: bytes) -> Messages:
    async with connect(f"{url.replace('http', 'ws', 1)}/stream", proxy=None) as stream:
        speaking = asyncio.create_task(_speak(stream, sound))
        told = [json.loads(message) async for message in stream]
        await speaking
    return told


async def _speak(stream: ClientConnection, sound: bytes) -> None:
    loop = asyncio.get_running_loop()
    began_s, step = loop.time(), round(_PIECE_S * _BYTES_PER_S)
    for number, start in enumerate(range(0, len(sound), step), 1):
        await asyncio.sleep(began_s + number * _PIECE_S - loop.time())
        await stream.send(sound[start : start + step])
    await stream.send('{"type": "end"}')


def _row(count: int, told: Messages) -> tuple[str, ...]:
    windows, segments = (
        [one["latency_ms"] for one in told if one["type"] == kind] for kind in ("window", "segment")
    )
    dropped = sum(one["dropped"]["windows"] for one in told if one["type"] == "end")
    figures = [f"{np.percentile(windows, part):.0f} ms" for part in (50, 95)]
    return (f"{count}", *figures, f"{dropped} of {dropped + len(windows)}", _median(segments))


def _median(latencies_ms: Sequence[float]) -> str:
    return f"{np.median(latencies_ms):.0f} ms" if latencies_ms else "-"


def _main(
    seconds: Annotated[float, typer.Option(help="of each stream")] = 20.0,
    streams: Annotated[str, typer.Option(help="so many at once, with commas between")] = "1,4,8",
) -> None:
    """Stream in real time, and tell how long the answers took."""
    with tempfile.TemporaryDirectory(prefix="neurosense-live-") as work:
        state = Path(work) / "state"
        (state / "logs").mkdir(parents=True)
        print("starting the service ...", file=sys.stderr, flush=True)
        with running_stack(state, {"NEUROSENSE_WEIGHTS": "starter"}) as stack:
            models, rows = served_models(state), []
            for count in map(int, streams.split(",")):
                print(f"{count} at once, {seconds:g} s ...", file=sys.stderr, flush=True)
                measure(stack.api_url, count, _WARM_UP_S)
                rows.append(_row(count, measure(stack.api_url, count, seconds)))
    columns = ("streams", "window p50", "window p95", "windows dropped", "segment p50")
    print(f"{models}\n\n{markdown(columns, rows)}")


if __name__ == "__main__":
    typer.run(_main)
