"""(d) BentoML with adaptive batching: `bentoml serve benchmarks.peers.bentoml.service:Emotion`.

A batchable method takes one parameter, so a wrapper service puts text and audio together, as
BentoML's documentation does ("Handle multiple parameters").
"""

import os
from pathlib import Path

import bentoml
from pydantic import BaseModel

from benchmarks.peers.onnx_models import Answer, EmotionModels, fuse

# Tried on 2 cores, CPU seconds for a second of speech: batches of 2 0.265, of 4 0.364 (a batch is
# as long as its longest clip); 2 workers of 1 thread 0.248, but each of them first spends a dozen
# requests on learning how long a batch takes, which one worker has soon behind it.
WORKERS = 1
THREADS = len(os.sched_getaffinity(0))
MAX_BATCH = 2
MAX_LATENCY_MS = 60_000  # a batch that is not done by then is refused with 503


class Request(BaseModel):
    """One request's two fields."""

    text: str
    audio: Path


@bentoml.service(workers=WORKERS, traffic={"timeout": 120})
class Models:
    """Both models, a batch at a time."""

    def __init__(self) -> None:
        self.models = EmotionModels(THREADS)

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=MAX_LATENCY_MS)
    def analyze(self, requests: list[Request]) -> list[Answer]:
        """Return the fused scores of every request."""
        said = self.models.text([request.text for request in requests])
        heard = self.models.audio([request.audio.read_bytes() for request in requests])
        return [fuse(*rows) for rows in zip(said, heard, strict=True)]


@bentoml.service(traffic={"timeout": 120})
class Emotion:
    """What clients call; its own `/readyz` says when everything is loaded."""

    models = bentoml.depends(Models)

    @bentoml.api(route="/analyze/multimodal")
    async def multimodal(self, text: str, audio: Path) -> Answer:
        """Return the fused scores."""
        (answer,) = await self.models.to_async.analyze([Request(text=text, audio=audio)])
        return answer
