"""With a response cache, what is asked again is answered by Triton itself, and nothing else is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc as triton

from api.tensors import from_bytes, to_input
from benchmarks.server import triton_on_free_ports
from export.calibrated import publish_calibrated
from export.publish import MODELS
from export.starter import publish_starter
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from serving.repository import read_config, render
from serving.settings import Settings
from serving.triton import Triton
from tests.recordings import wav

pytestmark = pytest.mark.slow
TEXT, OTHER_TEXT, AUDIO = b"I love this!", b"Leave me alone.", wav(1)


@dataclass(frozen=True)
class Cached:
    """A Triton that keeps answers of the starters; a colder version 2 of text is published."""

    folder: Path
    triton: Triton


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cached]:
    root = tmp_path_factory.mktemp("cached")
    folder = root / "models"
    published = {branch: publish_starter(branch, folder) for branch in MODELS}
    render(folder, published, Settings(response_cache_mb=8), gpu=False)
    assert publish_calibrated(folder, "text", 1, {"temperature": 3.0}).version == 2
    with triton_on_free_ports(folder, root / "triton.log", response_cache_mb=8) as started:
        yield Cached(folder, started)


@pytest.fixture
def client(cached: Cached) -> Iterator[Any]:
    with triton.InferenceServerClient(cached.triton.grpc_url) as one:
        yield one


def ask(client: Any, model: str, **given: Any) -> npt.NDArray[np.float32]:
    """Return the probabilities for bytes, or a weight as float32, by tensor."""
    tensors = [
        to_input(name, from_bytes(value) if isinstance(value, bytes) else np.array([[value]]))
        for name, value in given.items()
    ]
    found: npt.NDArray[np.float32] = client.infer(model, tensors).as_numpy("PROBABILITIES")
    return found


def executed(client: Any) -> dict[str, int]:
    """Return how often each step has run, of any version."""
    counts = dict.fromkeys(("text_tokenizer", "text_classifier", "audio_classifier", "fusion"), 0)
    for one in client.get_inference_statistics().model_stats:
        if one.name in counts:
            counts[one.name] += one.execution_count
    return counts


def test_what_is_asked_again_runs_no_model(client: Any) -> None:
    both = {"TEXT": TEXT, "AUDIO": AUDIO}
    asked: list[tuple[str, dict[str, Any]]] = [
        ("emotion_text", {"TEXT": TEXT}),
        ("emotion_audio", {"AUDIO": AUDIO}),
        ("emotion_multimodal", {**both, "TEXT_WEIGHT": np.float32(0.55)}),
    ]
    first = [ask(client, model, **given) for model, given in asked]
    before = executed(client)
    again = [ask(client, model, **given) for model, given in asked]
    assert executed(client) == before
    np.testing.assert_array_equal(again, first)


def test_another_input_is_answered_for_itself(client: Any) -> None:
    both = {"TEXT": TEXT, "AUDIO": AUDIO}
    text, other = (ask(client, "emotion_text", TEXT=one) for one in (TEXT, OTHER_TEXT))
    assert text.argmax() != other.argmax()
    heavy, light = (
        ask(client, "emotion_multimodal", **both, TEXT_WEIGHT=np.float32(weight))
        for weight in (1, 0)
    )
    np.testing.assert_allclose(heavy, text, atol=1e-6)
    np.testing.assert_allclose(light, ask(client, "emotion_audio", AUDIO=AUDIO), atol=1e-6)


def test_another_version_answers_for_itself_and_the_first_is_remembered(
    cached: Cached, client: Any
) -> None:
    first = ask(client, "emotion_text", TEXT=TEXT)
    with (
        SwappedTriton(cached.triton.grpc_url, cached.triton.control_key) as swapped,
        swapping(cached.folder),
    ):
        repository = Repository(cached.folder, [swapped], synchronizer(None), print)
        repository.swap("text", 2)
        second = ask(client, "emotion_text", TEXT=TEXT)
        assert second.max() < first.max() - 0.05
        repository.swap("text", 1)
    before = executed(client)
    np.testing.assert_array_equal(ask(client, "emotion_text", TEXT=TEXT), first)
    assert executed(client)["text_classifier"] <= before["text_classifier"]


def test_none_is_kept_unless_asked_for(tmp_path: Path) -> None:
    published = {branch: publish_starter(branch, tmp_path) for branch in MODELS}
    for megabytes in (0, 8):
        render(tmp_path, published, Settings(response_cache_mb=megabytes), gpu=False)
        configs = {path.parent.name: read_config(path) for path in tmp_path.glob("*/config.pbtxt")}
        keeping = {name for name, one in configs.items() if one.response_cache.enable}
        assert keeping == ({name for name in configs if "emotion" in name} if megabytes else set())


def test_a_refused_input_is_refused_again(client: Any) -> None:
    for _ in range(2):
        with pytest.raises(triton.InferenceServerException, match="text_empty"):
            ask(client, "emotion_text", TEXT=b" ")
