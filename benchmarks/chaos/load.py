"""An open-loop load on the public API that keeps what became of every single request."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import aiohttp

from benchmarks.http_requests import Request, encode
from benchmarks.inputs import equal_clips, read_sentences

_OK = 200
_RETRY = (429, 503)


@dataclass(frozen=True)
class Outcome:
    """What a client saw of one request; times are those of `time.monotonic`."""

    sent: float
    done: float
    status: int | None
    """None where no answer came."""
    what: str
    """The answer's id; an error's code, or what was wrong with its answer; else the exception."""
    top_emotion: str = ""
    degraded: bool = False
    clean: bool = True
    """Whether a refusal had the one shape, and `Retry-After` where it is worth another try."""

    @property
    def answered(self) -> bool:
        """Whether the client has an answer, which must be in the log then."""
        return self.status == _OK


def mixed_requests() -> list[Request]:
    """Return the mix, always the same: two sentences, then a sentence with a clip of 1.5 s."""
    sentences, clips = read_sentences()[:30], equal_clips(1.5, 8)
    three = cycle(("text", "text", "multimodal"))
    return [
        encode("multimodal" if kind == "multimodal" else "text", sentence, clip)
        for kind, sentence, clip in zip(three, sentences, cycle(clips), strict=False)
    ]


class Load:
    """Sends at a fixed rate, however slow the answers, until it is told to stop."""

    def __init__(self, url: str, requests: Sequence[Request], rate_per_s: float, limit_s: float):
        self._url = url
        self._order = cycle(requests)
        self._period_s = 1 / rate_per_s
        self._timeout = aiohttp.ClientTimeout(total=limit_s)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping.set()

    async def run(self) -> list[Outcome]:
        """Send until `stop`, then wait for the last answers; return what became of each."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            self._url, connector=connector, timeout=self._timeout
        ) as session:
            tasks: list[asyncio.Task[Outcome]] = []
            due = time.monotonic()
            while not self._stopping.is_set():
                tasks.append(asyncio.create_task(_ask(session, next(self._order))))
                due += self._period_s
                await asyncio.sleep(due - time.monotonic())
            return await asyncio.gather(*tasks)


async def _ask(session: aiohttp.ClientSession, request: Request) -> Outcome:
    sent = time.monotonic()
    headers = {"content-type": request.content_type}
    try:
        async with session.post(request.path, data=request.body, headers=headers) as response:
            body = await response.read()
    except TimeoutError:
        return Outcome(sent, time.monotonic(), None, "late")
    except aiohttp.ClientError as error:
        return Outcome(sent, time.monotonic(), None, type(error).__name__)
    done = time.monotonic()
    answer = _parsed(body)
    if response.status == _OK:
        return _answered(sent, done, answer)
    retry_after = response.headers.get("Retry-After", "")
    clean = set(answer) == {"detail", "code"} and bool(answer["detail"])
    if response.status in _RETRY:
        clean = clean and retry_after.isdigit()
    return Outcome(sent, done, response.status, str(answer.get("code", "no code")), clean=clean)


def _answered(sent: float, done: float, answer: dict[str, Any]) -> Outcome:
    return Outcome(
        sent,
        done,
        _OK,
        answer["id"],
        top_emotion=answer["top_emotion"],
        degraded=answer["degraded"] is not None,
    )


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
