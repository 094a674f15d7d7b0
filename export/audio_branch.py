"""What exporting an audio checkpoint takes: its graph, its limits and what to compare with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ensemble.clips import SAMPLE_RATE_HZ
from ensemble.labels import coverage, projection
from export.audio_graph import INPUT_NAMES, AudioGraph, front
from export.checkpoint import Checkpoint
from export.loading import load_feature_extractor, load_model
from export.prepared import Limits, Prepared, RealInputs
from export.real_inputs import clips
from export.rows import Row

_SECONDS = (0.1, 0.37, 1.0, 2.5077, 4.9, 12.00005)


def prepare(checkpoint: Checkpoint) -> Prepared:
    """Read the checkpoint and compute what it says about clips of all lengths.

    Raises:
        ExportError: it cannot be loaded, or takes something else than 16 kHz waveforms.
    """
    reference = load_model(checkpoint)
    extractor = load_feature_extractor(checkpoint)
    shortest = front(reference.config).min_samples
    return Prepared(
        checkpoint=checkpoint,
        make_graph=lambda: make_graph(checkpoint, bool(extractor.do_normalize)),
        input_names=INPUT_NAMES,
        rows=list(_rows(checkpoint, reference, extractor, shortest)),
        limits=Limits(sample_rate_hz=SAMPLE_RATE_HZ, min_samples=shortest),
        real_inputs=RealInputs(*clips()),
    )


def make_graph(checkpoint: Checkpoint, do_normalize: bool) -> AudioGraph:
    """Return the graph module, around a copy of the model of its own."""
    model = load_model(checkpoint, attention="eager")
    labels = checkpoint.labels
    graph = AudioGraph(model, projection(labels), coverage(labels), do_normalize)
    graph.eval()
    return graph


def _rows(checkpoint: Checkpoint, reference: Any, extractor: Any, shortest: int) -> Iterator[Row]:
    matrix = projection(checkpoint.labels)
    for name, clip in _clips(shortest):
        yield Row(name, clip, _probabilities(reference, extractor, clip, matrix))
    # A constant has no variance but rounding noise, which a norm blows up: nothing to compare.
    yield Row("a constant", np.full(SAMPLE_RATE_HZ, 0.3, np.float32), None)


def _clips(shortest: int) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Yield clips [n]: tones in noise, normal and off zero, whispered or clipped; and silence."""
    random = np.random.default_rng(0)
    lengths = [shortest, shortest + 1, *(int(s * SAMPLE_RATE_HZ) for s in _SECONDS)]
    for number, length in enumerate(lengths):
        time_s = np.arange(length) / SAMPLE_RATE_HZ
        tone = np.sin(2 * np.pi * (110.0 + 97 * number) * time_s) * np.sin(5 * time_s)
        clip = (0.3, 1e-3, 2.0)[number % 3] * (tone + 0.2 * random.standard_normal(length))
        clip = np.clip(clip + (0.05, 0.0, 0.0)[number % 3], -1.0, 1.0)
        yield f"{length} samples", clip.astype(np.float32)
    yield "silence", np.zeros(SAMPLE_RATE_HZ, np.float32)


@torch.no_grad()  # type: ignore[untyped-decorator]
def _probabilities(
    model: Any,
    extractor: Any,
    clip: npt.NDArray[np.float32],
    matrix: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    inputs = extractor(clip, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
    logits = model(**inputs).logits.double()
    probabilities: npt.NDArray[np.float64] = torch.softmax(logits, dim=-1).numpy()[0] @ matrix
    return probabilities
