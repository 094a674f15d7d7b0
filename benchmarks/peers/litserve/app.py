"""(c) LitServe with dynamic batching: `python -m benchmarks.peers.litserve.app PORT`."""

import os
import sys
from collections.abc import Sequence

import litserve
from fastapi import Request

from benchmarks.peers.onnx_models import Answer, EmotionModels, Floats, fuse

# Tried on 2 cores, CPU seconds for a second of speech: batches of 2 0.245, of 4 0.282, of 8
# 0.346 (a batch is as long as its longest clip); 2 workers of 1 thread 0.246 for twice the memory.
WORKERS = 1
THREADS = len(os.sched_getaffinity(0))
MAX_BATCH = 2
BATCH_TIMEOUT_S = 0.01


class EmotionAPI(litserve.LitAPI):
    """Requests in, batches through both models, fused scores out."""

    def setup(self, device: str) -> None:  # noqa: ARG002  there is but the CPU
        """Load both models."""
        self.models = EmotionModels(THREADS)

    def decode_request(self, request: Request) -> tuple[str, bytes]:
        """Take a request's two fields."""
        return request["text"], request["audio"].file.read()

    def batch(self, inputs: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
        """Leave a batch as it is: the models pad it."""
        return inputs

    def predict(self, batch: Sequence[tuple[str, bytes]]) -> list[tuple[Floats, Floats]]:
        """Return both probabilities of every request."""
        sentences, recordings = zip(*batch, strict=True)
        said, heard = self.models.text(sentences), self.models.audio(recordings)
        return list(zip(said, heard, strict=True))

    def unbatch(self, output: list[tuple[Floats, Floats]]) -> list[tuple[Floats, Floats]]:
        """Leave the list as it is: it has an entry for every request."""
        return output

    def encode_response(self, output: tuple[Floats, Floats]) -> Answer:
        """Fuse one request's probabilities."""
        return fuse(*output)


if __name__ == "__main__":
    api = EmotionAPI(
        max_batch_size=MAX_BATCH, batch_timeout=BATCH_TIMEOUT_S, api_path="/analyze/multimodal"
    )
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS, timeout=120)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False
    )
