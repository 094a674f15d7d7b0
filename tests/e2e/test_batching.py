"""Batching never changes an answer: 32 lengths at once, alone, and in PyTorch.

Served as on a GPU, where clips are batched too, in both precisions.
"""

import queue
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers
import tritonclient.grpc as triton

import export.starters
from benchmarks.server import triton_on_free_ports
from ensemble.audio import decode
from ensemble.labels import projection
from export import manifest as manifests
from export.gate import LARGEST_MEAN_ABS_DIFF
from export.manifest import Precision
from export.publish import MODELS
from export.starter import publish_starter
from serving.repository import render
from serving.settings import Settings
from tests.recordings import encoded, voice

COUNT = 32
TOLERANCES: dict[str, float] = {"fp32": 1e-4, "int8": 1e-3}
STARTERS = Path(export.starters.__file__).parent
Floats = npt.NDArray[np.float32]

WORDS = (  # noqa: SIM905
    "I was so happy to see my old friends again but then it rained and nobody could find "
    "the way home which made me angry and a little afraid until we laughed about it"
).split()
SENTENCES = [" ".join((WORDS * 8)[: 1 + 3 * n]) for n in range(COUNT)]
SECONDS = np.geomspace(0.1, 20, COUNT)  # evenly, they would be three times as much work


@dataclass(frozen=True)
class Served:
    """A Triton with the starters in one precision."""

    triton_grpc: str
    precision: Precision

    @property
    def tolerance(self) -> float:
        """How far a batched answer may be off the one that was given alone."""
        return TOLERANCES[self.precision]

    def assert_near(self, answer: Floats, reference: Floats) -> None:
        """Compare with PyTorch: to the tolerance at fp32, by the gate's mean at int8."""
        if self.precision == "fp32":
            np.testing.assert_allclose(answer, reference, rtol=0, atol=self.tolerance)
        assert np.abs(answer - reference).mean() <= LARGEST_MEAN_ABS_DIFF


@pytest.fixture(scope="module", params=TOLERANCES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("batched")
    precision: Precision = request.param
    # The audio starter has not passed int8's gate: "auto" publishes int8 of those that have.
    asked: Precision = "auto" if precision == "int8" else precision
    published = {
        branch: publish_starter(branch, folder / "models", precision=asked) for branch in MODELS
    }
    assert precision in {manifest.precision for manifest in published.values()}
    render(folder / "models", published, Settings())
    with triton_on_free_ports(folder / "models", folder / "triton.log") as running:
        yield Served(running.grpc_url, precision)


@pytest.fixture(scope="module")
def clips() -> list[bytes]:
    return [
        encoded(voice(seconds, seed=n), 16_000, "WAV", "PCM_16")
        for n, seconds in enumerate(SECONDS)
    ]


def bytes_input(name: str, content: bytes) -> Any:
    tensor = triton.InferInput(name, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[content]], dtype=np.object_))
    return tensor


def alone(client: Any, model: str, name: str, items: Sequence[bytes]) -> Floats:
    answers = [client.infer(model, [bytes_input(name, item)]) for item in items]
    return np.concatenate([answer.as_numpy("PROBABILITIES") for answer in answers])


def together(client: Any, model: str, name: str, items: Sequence[bytes]) -> Floats:
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()

    def keep(n: int) -> Any:
        return lambda result, error: answers.put((n, result, error))

    for n, item in enumerate(items):
        client.async_infer(model, [bytes_input(name, item)], callback=keep(n))
    collected: dict[int, Floats] = {}
    for _ in items:
        n, result, error = answers.get(timeout=240)
        assert error is None, error
        collected[n] = result.as_numpy("PROBABILITIES")
    return np.concatenate([collected[n] for n in range(len(items))])


def executions(client: Any, model: str, items: int = 0) -> tuple[int, int]:
    """Return how many items the model has answered, in how many executions.

    Triton counts just after it answers: wait until it has counted `items`.
    """
    deadline = time.monotonic() + 10
    while True:
        [statistics] = client.get_inference_statistics(model).model_stats
        if statistics.inference_count >= items or time.monotonic() > deadline:
            return statistics.inference_count, statistics.execution_count
        time.sleep(0.05)


def assert_batched_exactly(
    served: Served, branch: str, name: str, items: Sequence[bytes]
) -> Floats:
    """Check batched against alone, and that batches were formed; return the answers [32, 7]."""
    client = triton.InferenceServerClient(served.triton_grpc)
    classifier = f"{branch}_classifier"
    start, _ = executions(client, classifier)
    expected = alone(client, f"emotion_{branch}", name, items)
    _, executions_before = executions(client, classifier, start + COUNT)
    answers = together(client, f"emotion_{branch}", name, items)
    answered, executions_after = executions(client, classifier, start + 2 * COUNT)
    assert answered - start == 2 * COUNT
    assert executions_after - executions_before < COUNT
    np.testing.assert_allclose(answers, expected, rtol=0, atol=served.tolerance)
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).all()
    return answers


def test_sentences(served: Served) -> None:
    answers = assert_batched_exactly(served, "text", "TEXT", [s.encode() for s in SENTENCES])
    folder = STARTERS / "text"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, torch_dtype=torch.float32
    ).eval()
    references = []
    for sentence in SENTENCES:
        with torch.inference_mode():
            logits = model(**tokenizer(sentence, truncation=True, return_tensors="pt")).logits
        references.append(logits.softmax(-1).numpy() @ projection(model.config.id2label))
    served.assert_near(answers, np.concatenate(references))


@pytest.mark.parametrize("served", ["fp32"], indirect=True)  # so it is served either way
def test_clips(served: Served, clips: list[bytes]) -> None:
    answers = assert_batched_exactly(served, "audio", "AUDIO", clips)
    folder = STARTERS / "audio"
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModelForAudioClassification.from_pretrained(
        folder, torch_dtype=torch.float32
    ).eval()
    references = []
    for clip in clips:
        inputs = extractor(decode(clip), sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**inputs).logits / manifests.read(folder).temperature
        references.append(logits.softmax(-1).numpy() @ projection(model.config.id2label))
    served.assert_near(answers, np.concatenate(references))


def test_a_batch_that_the_client_made_is_answered_row_by_row(
    served: Served, clips: list[bytes]
) -> None:
    client = triton.InferenceServerClient(served.triton_grpc)
    rows = [clips[3], clips[0], clips[9]]
    tensor = triton.InferInput("AUDIO", [len(rows), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(rows, dtype=np.object_)[:, None])
    batch = client.infer("emotion_audio", [tensor]).as_numpy("PROBABILITIES")
    expected = alone(client, "emotion_audio", "AUDIO", rows)
    np.testing.assert_allclose(batch, expected, rtol=0, atol=served.tolerance)
