"""Every client that people come with: curl, tritonclient over HTTP and gRPC."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from ensemble.labels import EMOTIONS
from tests.conftest import Stack
from tests.recordings import av_encoded, encoded, speech, wav

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed: apt install curl")


def curl(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(CURL), "--silent", "--show-error", *arguments],
        capture_output=True,
        check=True,
        timeout=60,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@needs_curl
@pytest.mark.parametrize(
    ("text", "emotion"), [("I love this!", "JOY"), ("I am furious with you", "ANGER")]
)
def test_curl_sentences(stack: Stack, text: str, emotion: str) -> None:
    answer = curl(f"{stack.api_url}/analyze/text", "-F", f"text={text}")
    assert answer["top_emotion"] == emotion
    assert answer["models"]["text"]["weights"] == "starter"


@needs_curl
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clip.m4a", lambda: av_encoded(speech(0, 44_100), 44_100, "ipod", "aac")),
        ("clip.webm", lambda: av_encoded(speech(1, 48_000), 48_000, "webm", "libopus")),
        ("telephone.wav", lambda: encoded(speech(2, 8_000), 8_000, "WAV", "ULAW")),
    ],
)
def test_curl_recordings(stack: Stack, tmp_path: Path, name: str, content: Any) -> None:
    file = tmp_path / name
    file.write_bytes(content())
    answer = curl(f"{stack.api_url}/analyze/audio", "-F", f"audio=@{file}")
    assert set(answer["all_scores"]) == {"ANGER", "JOY", "NEUTRAL", "SADNESS"}
    assert sum(answer["all_scores"].values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("module", [tritonclient.grpc, tritonclient.http])
def test_tritonclient(stack: Stack, module: Any) -> None:
    url = stack.triton_grpc if module is tritonclient.grpc else stack.triton_http
    client = module.InferenceServerClient(url)
    inputs = []
    for name, content in (("TEXT", b"I love this!"), ("AUDIO", wav())):
        tensor = module.InferInput(name, [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[content]], dtype=np.object_))
        inputs.append(tensor)
    answer = client.infer("emotion_multimodal", inputs)
    fused, text, audio = (
        answer.as_numpy(name)
        for name in ("PROBABILITIES", "TEXT_PROBABILITIES", "AUDIO_PROBABILITIES")
    )
    np.testing.assert_allclose(fused, 0.55 * text + 0.45 * audio, rtol=0, atol=1e-6)
    assert EMOTIONS[text.argmax()] == "joy"
    client.close()


def test_the_classification_extension_names_the_emotions(stack: Stack) -> None:
    client = tritonclient.grpc.InferenceServerClient(stack.triton_grpc)
    tensor = tritonclient.grpc.InferInput("TEXT", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[b"I love this!"]], dtype=np.object_))
    wanted = tritonclient.grpc.InferRequestedOutput("PROBABILITIES", class_count=2)
    answer = client.infer("emotion_text", [tensor], outputs=[wanted])
    score, index, label = answer.as_numpy("PROBABILITIES")[0, 0].decode().split(":")
    assert (label, EMOTIONS[int(index)]) == ("joy", "joy")
    assert 0.5 < float(score) <= 1
