"""(e) Ray Serve with dynamic batching: `python -m benchmarks.peers.ray_serve.app PORT`."""

import asyncio
import os
import sys
from typing import Annotated

import ray
from fastapi import FastAPI, File, Form, UploadFile
from ray import serve

from benchmarks.peers.onnx_models import Answer, EmotionModels, fuse

# A replica reserves one core unless told otherwise: one for each core. Tried on 2 cores, CPU
# seconds for a second of speech: 2 replicas of 1 thread 0.284, 1 of 2 threads 0.293; its
# batches of 4 0.345 (a batch is as long as its longest clip).
REPLICAS = len(os.sched_getaffinity(0))
THREADS = 1
MAX_BATCH = 2
BATCH_WAIT_S = 0.01  # the default
app = FastAPI()


@serve.deployment(
    num_replicas=REPLICAS,
    max_ongoing_requests=32,  # more than a batch, so that the next one fills meanwhile
    ray_actor_options={"num_cpus": THREADS},
)
@serve.ingress(app)
class Emotion:
    """Both models behind FastAPI routes, batched by Ray Serve."""

    def __init__(self) -> None:
        self.models = EmotionModels(THREADS)

    @app.get("/health")
    async def health(self) -> dict[str, str]:
        """Say that both models are loaded."""
        return {"status": "ok"}

    @app.post("/analyze/multimodal")
    async def multimodal(
        self, text: Annotated[str, Form()], audio: Annotated[UploadFile, File()]
    ) -> Answer:
        """Return the fused scores."""
        return await self.analyze((text, await audio.read()))

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=BATCH_WAIT_S)
    async def analyze(self, requests: list[tuple[str, bytes]]) -> list[Answer]:
        """Return the fused scores of every request."""
        # In a thread, so that the event loop takes the next requests in meanwhile.
        return await asyncio.to_thread(self.both, requests)

    def both(self, requests: list[tuple[str, bytes]]) -> list[Answer]:
        """Run a batch through both models."""
        sentences, recordings = zip(*requests, strict=True)
        said, heard = self.models.text(sentences), self.models.audio(recordings)
        return [fuse(*rows) for rows in zip(said, heard, strict=True)]


if __name__ == "__main__":
    ray.init(num_cpus=REPLICAS * THREADS, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Emotion.bind(), blocking=True)  # type: ignore[attr-defined]
