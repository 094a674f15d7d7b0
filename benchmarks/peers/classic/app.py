"""(a) The classic design: FastAPI, both models as PyTorch pipelines, fused in Python.

Run by uvicorn. Endpoints are plain `def`, which FastAPI runs in its thread pool.
"""

import io
import os
from collections.abc import Iterable
from threading import Semaphore
from typing import Annotated, Any

import soundfile
import torch
from fastapi import FastAPI, File, Form, UploadFile
from transformers import pipeline

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
SHORT = {"neu": "neutral", "hap": "joy", "ang": "anger", "sad": "sadness"}
TEXT_WEIGHT = 0.55
# Threads of an operator times requests at once are the cores. Tried on 2 cores, CPU seconds
# for a second of speech: 1 thread x 2 requests 0.225, 2 x 1 0.257, PyTorch's and FastAPI's
# defaults (2 x 40) 0.258.
THREADS = 1
AT_ONCE = len(os.sched_getaffinity(0))

torch.set_num_threads(THREADS)
where = {"device": "cpu"}
if os.environ.get("PEER_DEVICE", "cpu") != "cpu":
    where = {"device": "cuda:0", "dtype": torch.float16}
text_pipeline = pipeline("text-classification", os.environ["PEER_TEXT"], top_k=None, **where)
audio_pipeline = pipeline("audio-classification", os.environ["PEER_AUDIO"], top_k=None, **where)
free = Semaphore(AT_ONCE)
app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    """Say that both models are loaded."""
    return {"status": "ok"}


@app.post("/analyze/multimodal")
def multimodal(
    text: Annotated[str, Form()], audio: Annotated[UploadFile, File()]
) -> dict[str, dict[str, float]]:
    """Return the fused scores."""
    samples, rate_hz = soundfile.read(io.BytesIO(audio.file.read()), dtype="float32")
    with free:
        heard = by_emotion(audio_pipeline({"raw": samples, "sampling_rate": rate_hz}))
        (read,) = text_pipeline([text], truncation=True)
    said = by_emotion(read)
    return {
        "all_scores": {
            name.upper(): TEXT_WEIGHT * said.get(name, 0.0)
            + (1 - TEXT_WEIGHT) * heard.get(name, 0.0)
            for name in EMOTIONS
        }
    }


def by_emotion(results: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return a pipeline's scores under the names of the emotions."""
    return {SHORT.get(one["label"], one["label"]): one["score"] for one in results}
