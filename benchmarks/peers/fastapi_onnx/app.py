"""(b) FastAPI and ONNX Runtime: both models in process, one request at a time in each thread.

Run by uvicorn. Endpoints are plain `def`, which FastAPI runs in its thread pool.
"""

import os
from threading import Semaphore
from typing import Annotated

from fastapi import FastAPI, File, Form, UploadFile

from benchmarks.peers.onnx_models import Answer, EmotionModels, fuse

# Threads of an operator times requests at once are the cores. Tried on 2 cores, CPU seconds
# for a second of speech: 1 thread x 2 requests 0.196, 2 x 1 0.213.
THREADS = 1
AT_ONCE = len(os.sched_getaffinity(0))

models = EmotionModels(THREADS)
free = Semaphore(AT_ONCE)
app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that both models are loaded."""
    return {"status": "ok"}


@app.post("/analyze/multimodal")
def multimodal(text: Annotated[str, Form()], audio: Annotated[UploadFile, File()]) -> Answer:
    """Return the fused scores."""
    with free:
        (said,) = models.text([text])
        (heard,) = models.audio([audio.file.read()])
    return fuse(said, heard)
