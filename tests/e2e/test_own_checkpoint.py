"""Checkpoints of the user's own, shrunken ones of the two published kinds, through `serve`."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import transformers

from ensemble.audio import decode
from ensemble.labels import EMOTIONS, projection
from tests.conftest import stack_environment, start_serve, stop_serve
from tests.export import hub_server
from tests.export.checkpoints import audio_checkpoint, text_checkpoint
from tests.recordings import wav

SENTENCE = "the thing in this"


def scores(answer: dict[str, Any]) -> list[float]:
    return [answer["all_scores"].get(emotion.upper(), 0.0) for emotion in EMOTIONS]


def reference(folder: Path, auto_model: Any, inputs: Any) -> Any:
    """Return the untouched checkpoint's own probabilities [7]."""
    model = auto_model.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = model(**inputs).logits
    return logits.softmax(-1).numpy()[0] @ projection(model.config.id2label)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    # The labels in another order than usual: positions must come from id2label.
    text = text_checkpoint(root / "my-roberta", "roberta", labels=list(reversed(EMOTIONS)))
    audio = audio_checkpoint(root / "my-wav2vec2", use_weighted_layer_sum=True)
    return text, audio


@pytest.mark.slow
def test_they_are_exported_served_and_kept_for_the_next_start(
    checkpoints: tuple[Path, Path], tmp_path: Path
) -> None:
    text, audio = checkpoints
    environment = stack_environment(
        tmp_path / "state",
        NEUROSENSE_TEXT_CHECKPOINT=str(text),
        NEUROSENSE_AUDIO_CHECKPOINT=str(audio),
        NEUROSENSE_PRECISION="fp32",  # the answers are compared with PyTorch's
    )
    process = start_serve(environment, tmp_path / "first.log")
    try:
        url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}/analyze"
        said = httpx.post(f"{url}/text", data={"text": SENTENCE}, timeout=60).json()
        heard = httpx.post(f"{url}/audio", files={"audio": wav()}, timeout=60).json()
    finally:
        stop_serve(process)
    assert (said["models"]["text"]["name"], said["models"]["text"]["weights"]) == (
        "my-roberta",
        "local",
    )
    assert heard["models"]["audio"]["name"] == "my-wav2vec2"

    tokenizer = transformers.AutoTokenizer.from_pretrained(text)
    expected = reference(
        text,
        transformers.AutoModelForSequenceClassification,
        tokenizer(SENTENCE, return_tensors="pt"),
    )
    np.testing.assert_allclose(scores(said), expected, rtol=0, atol=1e-4)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(audio)
    samples = extractor(decode(wav()), sampling_rate=16_000, return_tensors="pt")
    expected = reference(audio, transformers.AutoModelForAudioClassification, samples)
    np.testing.assert_allclose(scores(heard), expected, rtol=0, atol=1e-4)

    assert "ONNX" in (tmp_path / "first.log").read_text()
    again = start_serve(environment, tmp_path / "second.log")
    stop_serve(again)
    assert "ONNX" not in (tmp_path / "second.log").read_text()


@pytest.mark.slow
def test_hub_checkpoints_come_once_and_then_need_no_hub(tmp_path: Path) -> None:
    """The mini hub speaks the real one's protocol; the second start finds it gone."""
    names = {"text": "someone/bert-emotion", "audio": "someone/hubert-emotion"}
    text_checkpoint(tmp_path / "hub" / names["text"])
    audio_checkpoint(tmp_path / "hub" / names["audio"], "hubert")
    with hub_server.serve(tmp_path / "hub") as hub:
        environment = stack_environment(
            tmp_path / "state",
            NEUROSENSE_WEIGHTS="hub",
            NEUROSENSE_TEXT_CHECKPOINT=names["text"],
            NEUROSENSE_AUDIO_CHECKPOINT=names["audio"],
            HF_ENDPOINT=hub.url,
            HF_HOME=str(tmp_path / "cache"),
            NEUROSENSE_PRECISION="fp32",  # the quicker export
        )
        first = start_serve(environment, tmp_path / "first.log")
        stop_serve(first)
        assert any("model.safetensors" in request for request in hub.requests)
    again = start_serve(environment, tmp_path / "second.log")
    url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}/analyze"
    try:
        answer = httpx.post(
            f"{url}/multimodal", data={"text": SENTENCE}, files={"audio": wav()}, timeout=60
        ).json()
    finally:
        stop_serve(again)
    for branch, name in names.items():
        assert answer["models"][branch] == {"name": name, "version": "1", "weights": "hub"}
