"""The ways to run one classifier that are compared, all behind one call."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks.points import COMPILED, EAGER, NAIVE, OURS
from benchmarks.products import session_options
from benchmarks.rows import Row
from benchmarks.sources import Models
from ensemble.audio import SAMPLE_RATE_HZ
from ensemble.labels import projection
from export.checkpoint import Checkpoint
from export.loading import load_feature_extractor, load_model
from export.parity import run as run_ragged

Probabilities = npt.NDArray[np.float32]
Run = Callable[[Sequence[Row]], Probabilities]
"""From rows of any lengths to probabilities [B, 7], padding included in the work."""


@dataclass(frozen=True)
class Variant:
    """A way to run the classifier; its precision says which floor it has."""

    name: str
    precision: str
    run: Run


def make(models: Models, threads: int) -> list[Variant]:
    """Load all variants, PyTorch eager first; what compiles does so in its first run.

    Raises:
        ExportError: the checkpoint cannot be loaded.
    """
    torch.set_num_threads(threads)
    model = load_model(models.checkpoint)
    pad = _padding(models.checkpoint, model)
    matrix = projection(models.checkpoint.labels)
    # Lengths vary: a compiled model that is bound to one of them would be of no use.
    compiled = torch.compile(model, dynamic=True)
    variants = [
        Variant(EAGER, "fp32", _torch(model, pad, matrix)),
        Variant(COMPILED, "fp32", _torch(compiled, pad, matrix)),
    ]
    if models.naive is not None:
        naive = _session(models.naive, threads)
        variants.append(Variant(NAIVE, "fp32", _onnx(naive, pad, matrix)))
    for precision, file in models.ours.items():
        session = _session(file, threads)
        variants.append(Variant(OURS + precision, precision, _ragged(session)))
    return variants


Padding = Callable[[Sequence[Row]], dict[str, torch.Tensor]]


def _padding(checkpoint: Checkpoint, model: Any) -> Padding:
    """Return what makes a padded batch of rows the way the checkpoint's users do."""
    if checkpoint.branch == "audio":
        extractor = load_feature_extractor(checkpoint)
        return lambda rows: dict(
            extractor(list(rows), sampling_rate=SAMPLE_RATE_HZ, padding=True, return_tensors="pt")
        )
    pad_id = model.config.pad_token_id
    return lambda rows: {
        "input_ids": _padded(rows, pad_id),
        "attention_mask": _padded([np.ones_like(row) for row in rows], 0),
    }


def _padded(rows: Sequence[Row], value: int) -> torch.Tensor:
    tensors = [torch.from_numpy(row) for row in rows]
    padded: torch.Tensor = pad_sequence(tensors, batch_first=True, padding_value=value)
    return padded


def _torch(model: Any, pad: Padding, matrix: Probabilities) -> Run:
    def run(rows: Sequence[Row]) -> Probabilities:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the compiler says to its authors
            return _emotions(model(**pad(rows)).logits.numpy(), matrix)

    return run


def _onnx(session: onnxruntime.InferenceSession, pad: Padding, matrix: Probabilities) -> Run:
    names = [node.name for node in session.get_inputs()]  # fewer than the model's: no mask

    def run(rows: Sequence[Row]) -> Probabilities:
        inputs = pad(rows)
        (logits,) = session.run(["logits"], {name: inputs[name].numpy() for name in names})
        return _emotions(logits, matrix)

    return run


def _ragged(session: onnxruntime.InferenceSession) -> Run:
    return lambda rows: run_ragged(session, rows, [len(row) for row in rows])


def _emotions(logits: Probabilities, matrix: Probabilities) -> Probabilities:
    """Return the probabilities of the seven emotions from a checkpoint's own logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Probabilities = powers / powers.sum(axis=-1, keepdims=True) @ matrix
    return probabilities


def _session(file: Path, threads: int) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(
        str(file), session_options(threads), providers=["CPUExecutionProvider"]
    )
