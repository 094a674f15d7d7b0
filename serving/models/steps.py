"""Asks the steps of one version directly, whether or not it is what the ensembles call."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from api.tensors import from_bytes, to_input
from export.manifest import Branch
from serving.models.triton import SwappedTriton


@dataclass(frozen=True)
class Asked:
    """Probabilities [7], and how long the steps took."""

    probabilities: npt.NDArray[np.float32]
    latency_ms: float


def ask(triton: SwappedTriton, branch: Branch, version: int, content: bytes) -> Asked:
    """Return what a version says of a text or a recording, through its own steps in Triton.

    Raises:
        ServingError: it answers with an error.
    """
    first, version_of_first, source, passed_on = _FIRST[branch]
    start_s = time.perf_counter()
    made = triton.infer(
        first,
        version if version_of_first is None else version_of_first,
        [to_input(source, from_bytes(content))],
    )
    tensors = [to_input(name, made.as_numpy(name)) for name in (passed_on, "length")]
    answer = triton.infer(f"{branch}_classifier", version, tensors)
    latency_ms = (time.perf_counter() - start_s) * 1000
    return Asked(answer.as_numpy("probabilities")[0], latency_ms)


_FIRST: dict[Branch, tuple[str, int | None, str, str]] = {
    "text": ("text_tokenizer", None, "TEXT", "input_ids"),
    "audio": ("audio_decoder", 1, "AUDIO", "samples"),
}
"""A branch's first step, its version if that is not the branch's, its input and main output."""
