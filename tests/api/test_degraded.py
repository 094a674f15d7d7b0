"""One branch fails, or both."""

from typing import Any

import httpx
import pytest

from api.errors import UnavailableError
from tests.api.asking import WAV, assert_problem
from tests.api.fakes import GOOD_AUDIO, FakeModels, down


@pytest.mark.parametrize(
    ("text", "audio", "failed", "code"),
    [
        ("hm", b"not audio", "audio", "audio_undecodable"),
        ("hm", b"", "audio", "audio_empty"),
        (" \n", GOOD_AUDIO, "text", "text_empty"),
        (b"\xff", GOOD_AUDIO, "text", "text_invalid"),
    ],
)
def test_degraded_by_input(
    client: httpx.Client, text: str | bytes, audio: bytes, failed: str, code: str
) -> None:
    files = {"text": (None, text), "audio": ("a.wav", audio)}
    answer = client.post("/analyze/multimodal", files=files).json()
    assert answer["degraded"]["modality"] == failed
    assert answer["degraded"]["code"] == code
    assert answer["degraded"]["reason"]
    worked = "text" if failed == "audio" else "audio"
    assert answer["modality"] == f"{worked}_only"
    assert answer["fusion_weights"][worked] == 1.0


@pytest.mark.parametrize("failed", ["text", "audio"])
@pytest.mark.parametrize("how", ["down", "hanging"])
def test_degraded_by_a_branch(
    client: httpx.Client, models: FakeModels, failed: str, how: str
) -> None:
    if how == "down":
        models.faults[failed] = down()
    else:
        models.hanging.add(failed)
    answer = client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json()
    expected = {"down": "model_unavailable", "hanging": "timeout"}[how]
    assert (answer["degraded"]["modality"], answer["degraded"]["code"]) == (failed, expected)
    assert failed not in answer["sub_results"]


def test_both_failing(client: httpx.Client, models: FakeModels) -> None:
    bad = {"audio": ("a.wav", b"no audio")}
    both_inputs = client.post("/analyze/multimodal", data={"text": " "}, files=bad)
    assert_problem(both_inputs, 422, "text_empty")
    assert "audio:" in both_inputs.json()["detail"]
    models.faults["text"] = down()
    # The text would be answered later, so this is not only the client's to mend.
    assert_problem(
        client.post("/analyze/multimodal", data={"text": "x"}, files=bad), 503, "model_unavailable"
    )
    models.faults = {"audio": down()}
    response = client.post("/analyze/multimodal", data={"text": " "}, files=WAV)
    assert_problem(response, 503, "model_unavailable")
    assert int(response.headers["retry-after"]) > 0


def test_fusion_that_is_down_is_an_error(client: httpx.Client, models: FakeModels) -> None:
    models.faults["fusion"] = UnavailableError("model_failed", "the model failed")
    response = client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV)
    assert_problem(response, 503, "model_failed")


def test_a_fault_that_has_passed_does_not_degrade(
    client: httpx.Client, models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = models.multimodal

    async def once(*_: Any) -> None:
        monkeypatch.setattr(models, "multimodal", fused)
        raise down()

    monkeypatch.setattr(models, "multimodal", once)
    answer = client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json()
    assert answer["modality"] == "multimodal_fused"


def test_model_faults(client: httpx.Client, models: FakeModels) -> None:
    models.faults["text"] = down()
    response = client.post("/analyze/text", data={"text": "hm"})
    assert_problem(response, 503, "model_unavailable")
    assert int(response.headers["retry-after"]) > 0
    models.hanging.add("text")
    response = client.post("/analyze/text", data={"text": "hm"})
    assert_problem(response, 504, "timeout")
    assert int(response.headers["retry-after"]) > 0
