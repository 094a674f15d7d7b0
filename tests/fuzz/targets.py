"""The code that meets strangers' bytes, and what must come of whatever they are."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from starlette.requests import Request
from starlette.types import Message
from tokenizers import Tokenizer

import api.errors
from api import requests
from api.settings import Settings
from ensemble.clips import MIN_SAMPLES, SAMPLE_RATE_HZ, Limits
from ensemble.decoding import DecodingProcess, ProcessLimits
from ensemble.errors import InputError
from ensemble.tokenizing import TextTokenizer
from export.starter import STARTERS
from tests.fuzz import seeds
from tests.fuzz.fuzzing import Report, save

MAX_GROWTH_BYTES = 200 * 2**20
"""Of the decoding process between restarts: a limit for leaks, above its largest clip."""

_LIMITS = Limits(max_seconds=5.0)
_TIMEOUT_S = 10.0


@contextmanager
def audio_target(report: Report, failing: Path) -> Iterator[Callable[[bytes], str]]:
    """The decoder in its process, as the audio step has it."""
    with DecodingProcess(_LIMITS, ProcessLimits(timeout_s=_TIMEOUT_S)) as process:

        def decode(encoded: bytes) -> str:
            restarts = process.restarts
            try:
                check_samples(process.decode(encoded))
                outcome = "samples"
            except InputError as error:
                outcome = error.code
            if process.restarts > restarts:  # contained, but somebody should know
                report.crashes.append(save(failing, encoded))
            rss_bytes = psutil.Process(process.pid).memory_info().rss
            report.largest_rss_bytes = max(report.largest_rss_bytes, rss_bytes)
            return outcome

        decode((seeds.recordings())["WAV PCM_16"])
        start_bytes = report.largest_rss_bytes
        yield decode
        growth = report.largest_rss_bytes - start_bytes
        if growth > MAX_GROWTH_BYTES:
            report.failures.append(f"the decoding process grew by {growth / 2**20:.0f} MiB")


def check_samples(samples: np.ndarray) -> None:  # type: ignore[type-arg]
    """Raise AssertionError unless they are what the classifier takes."""
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert MIN_SAMPLES <= len(samples) <= _LIMITS.max_seconds * SAMPLE_RATE_HZ + 1
    assert np.isfinite(samples).all()


def text_target() -> Callable[[bytes], str]:
    """The tokenizer of the starter."""
    original = Tokenizer.from_file(str(STARTERS / "text" / "tokenizer.json"))
    original.enable_truncation(512)
    original.enable_padding()
    with tempfile.TemporaryDirectory() as folder:
        original.save(f"{folder}/tokenizer.json")  # as publishing does
        tokenizer = TextTokenizer(Path(folder) / "tokenizer.json")

    def tokenize(text: bytes) -> str:
        try:
            encoded = tokenizer.encode([text])
        except InputError as error:
            return error.code
        assert 1 <= encoded["length"].item() <= tokenizer.max_tokens
        assert encoded["truncated_tokens"].item() >= 0
        return "tokens"

    return tokenize


@contextmanager
def body_target(content_type: str) -> Iterator[Callable[[bytes], str]]:
    """The reading of a request's body, which comes in two pieces."""
    settings = Settings(DATABASE_URL="postgresql://nobody@nowhere/nothing", max_text_bytes=10_000)
    read = requests.read_text if content_type.endswith("json") else requests.read_multimodal

    async def ask(body: bytes) -> None:
        half = len(body) // 2
        pieces: list[Message] = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:], "more_body": False},
        ]

        async def receive() -> Message:
            return pieces.pop(0)

        headers = [(b"content-type", content_type.encode())]
        await read(Request({"type": "http", "headers": headers}, receive), settings)

    with asyncio.Runner() as runner:

        def parse(body: bytes) -> str:
            try:
                runner.run(ask(body))
            except api.errors.ApiError as error:
                if error.status >= 500:
                    raise
                return error.code
            return "read"

        yield parse
