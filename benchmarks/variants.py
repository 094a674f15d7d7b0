"""The ways to run one classifier that are compared, all behind one call."""

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks import devices
from benchmarks.points import COMPILED, EAGER, EAGER_FP16, NAIVE, OURS, Device
from benchmarks.rows import Row
from benchmarks.sources import Models
from ensemble.clips import SAMPLE_RATE_HZ
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


def make(models: Models, threads: int, device: Device = "cpu") -> list[Variant]:
    """Load all variants, PyTorch eager first; what compiles does so in its first run.

    On a GPU PyTorch's float16 takes part as well.

    Raises:
        ExportError: the checkpoint cannot be loaded.
    """
    torch.set_num_threads(threads)
    model = load_model(models.checkpoint).to(device)
    pad = _padding(models.checkpoint, model)
    matrix = projection(models.checkpoint.labels)
    # Lengths vary: a compiled model that is bound to one of them would be of no use.
    compiled = torch.compile(model, dynamic=True)
    variants = [
        Variant(EAGER, "fp32", _torch(model, pad, matrix, device)),
        Variant(COMPILED, "fp32", _torch(compiled, pad, matrix, device)),
    ]
    if device != "cpu":
        half = copy.deepcopy(model).half()
        run = _torch(half, pad, matrix, device, torch.float16)
        variants.append(Variant(EAGER_FP16, "fp16", run))
    if models.naive is not None:
        naive = devices.session(models.naive, threads, device)
        variants.append(Variant(NAIVE, "fp32", _onnx(naive, pad, matrix)))
    for precision, file in models.ours.items():
        session = devices.session(file, threads, device)
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


def _torch(
    model: Any,
    pad: Padding,
    matrix: Probabilities,
    device: Device,
    kind: torch.dtype = torch.float32,
) -> Run:
    def run(rows: Sequence[Row]) -> Probabilities:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the compiler says to its authors
            inputs = {
                name: tensor.to(device, kind if tensor.is_floating_point() else None)
                for name, tensor in pad(rows).items()
            }
            return _emotions(model(**inputs).logits.float().cpu().numpy(), matrix)

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
