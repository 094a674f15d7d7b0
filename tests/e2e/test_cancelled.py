"""Work that nobody waits for is dropped, and what is cancelled or fails disturbs nobody else.

With branches side by side in one ensemble, Triton 2.51 crashed here within a minute.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from benchmarks.server import Server, running_triton, triton_on_free_ports
from export.publish import MODELS
from export.starter import publish_starter
from serving.repository import render
from serving.settings import Settings
from tests.recordings import wav

SECONDS = 4.0
ENOUGH = 20  # of each kind, however long that takes
WORKERS = 24
TEXTS = [f"I am {word} today.".encode() for word in ("glad", "furious", "afraid", "sad")]
CLIPS = [wav(seconds) for seconds in (0.5, 1, 2, 4)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("cancelled")
    manifests = {branch: publish_starter(branch, folder / "models") for branch in MODELS}
    render(folder / "models", manifests, Settings(), gpu=False)
    with (
        triton_on_free_ports(folder / "models", folder / "triton.log") as running,
        running_triton(running.grpc_url, "grpc") as server,
    ):
        yield server


def bytes_input(name: str, content: bytes) -> Any:
    tensor = triton.InferInput(name, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[content]], dtype=np.object_))
    return tensor


async def fused(client: Any, text: bytes, clip: bytes, timeout_s: float | None = None) -> Any:
    inputs = [bytes_input("TEXT", text), bytes_input("AUDIO", clip)]
    answer = await client.infer("emotion_multimodal", inputs, client_timeout=timeout_s)
    return answer.as_numpy("PROBABILITIES")


def why(error: InferenceServerException) -> str:
    if "DEADLINE" in str(error.status()):
        return "cancelled"
    if "[text_empty]" in str(error) or "[audio_undecodable]" in str(error):
        return "refused"
    raise error


async def ask_everything(client: Any) -> dict[str, int]:
    """Ask for good, bad and soon abandoned things at once; every whole answer must be right."""
    right = {(t, c): await fused(client, t, c) for t in TEXTS for c in CLIPS}
    counts = {"right": 0, "cancelled": 0, "refused": 0}
    end = time.monotonic() + SECONDS

    async def one(rng: random.Random) -> None:
        text, clip = rng.choice(TEXTS), rng.choice(CLIPS)
        kind = rng.random()
        if kind < 0.2:
            await fused(client, b"  ", clip)
        elif kind < 0.4:
            await fused(client, text, b"no recording" * 99, rng.choice([None, 0.01]))
        else:
            timeout_s = rng.uniform(0.001, 0.3) if kind < 0.7 else None
            answer = await fused(client, text, clip, timeout_s)
            np.testing.assert_allclose(answer, right[text, clip], atol=1e-3)
            counts["right"] += 1

    async def worker(seed: int) -> None:
        rng = random.Random(seed)
        while time.monotonic() < end or min(counts.values()) <= ENOUGH:
            try:
                await one(rng)
            except InferenceServerException as error:
                counts[why(error)] += 1

    async with asyncio.timeout(SECONDS + 200):  # a request that never ends would hang here
        await asyncio.gather(*map(worker, range(WORKERS)))
    return counts


def test_cancelled_and_failing_calls_disturb_nobody(server: Server) -> None:
    async def run() -> dict[str, int]:
        async with InferenceServerClient(server.url) as client:
            return await ask_everything(client)

    assert min(asyncio.run(run()).values()) > ENOUGH


def test_work_that_nobody_waits_for_is_not_done(server: Server) -> None:
    clip = wav(20)

    async def run() -> None:
        async with InferenceServerClient(server.url) as client:
            calls = [fused(client, TEXTS[0], clip, timeout_s=0.3) for _ in range(200)]
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(one, InferenceServerException) for one in ended) > 150
            await fused(client, TEXTS[0], clip)  # comes after them in every queue

    before = server.counts()["audio_classifier"].executions
    asyncio.run(run())
    assert server.counts()["audio_classifier"].executions - before < 100
