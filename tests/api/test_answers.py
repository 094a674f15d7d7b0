"""Answers of the three endpoints, over models that know one answer each."""

import json
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from tests.api.asking import WAV, upper
from tests.api.fakes import AUDIO_SCORES, GOOD_AUDIO, TEXT_SCORES, FakeModels, fuse
from tests.api.servers import serve


@pytest.mark.parametrize(
    "body", [{"data": {"text": "I love it"}}, {"json": {"text": "I love it"}},
             {"files": {"text": (None, "I love it")}}]
)  # fmt: skip
def test_text_as_form_json_and_multipart(
    client: httpx.Client, models: FakeModels, body: dict[str, Any]
) -> None:
    answer = client.post("/analyze/text", **body).json()
    assert models.calls == [("text", b"I love it")]
    assert answer["modality"] == "text"
    assert (answer["top_emotion"], answer["confidence"]) == ("JOY", 0.6)
    assert answer["all_scores"] == upper(TEXT_SCORES)
    assert list(answer["all_scores"].values()) == sorted(TEXT_SCORES.values(), reverse=True)
    assert answer["models"] == {"text": {"name": "fake-text", "version": "3", "weights": "local"}}
    assert answer["degraded"] is None
    assert answer["warnings"] == []
    assert answer["latency_ms"] > 0
    assert "fusion_weights" not in answer


@pytest.mark.parametrize(("below", "verdict"), [(0.0, None), (0.6, False), (0.61, True)])
def test_an_uncertain_answer_says_so_only_if_asked(
    database_url: str, models: FakeModels, below: float, verdict: bool | None
) -> None:
    settings = Settings(DATABASE_URL=database_url, uncertain_below=below)
    with serve(create_app(settings, lambda _: models)) as client:
        one = client.post("/analyze/text", data={"text": "I love it"}).json()
        sent = {"text": "I love it", "text_weight": "1"}
        both = client.post("/analyze/multimodal", data=sent, files=WAV).json()
    for answer in (one, both):
        assert (answer["top_emotion"], answer["confidence"]) == ("JOY", 0.6)
        assert answer.get("uncertain") is verdict
        assert ("uncertain" in answer) == (below > 0)


def test_audio_has_the_covered_emotions_only(client: httpx.Client) -> None:
    answer = client.post("/analyze/audio", files=WAV).json()
    assert answer["modality"] == "audio"
    assert answer["top_emotion"] == "ANGER"
    assert answer["all_scores"] == upper(AUDIO_SCORES)


@pytest.mark.parametrize(
    ("sent", "weight"), [({}, 0.55), ({"text_weight": "0"}, 0), ({"text_weight": "1"}, 1),
                         ({"text_weight": "0.3"}, 0.3), ({"text_weight": ""}, 0.55)]
)  # fmt: skip
def test_fused(
    client: httpx.Client, models: FakeModels, sent: dict[str, str], weight: float
) -> None:
    answer = client.post("/analyze/multimodal", data={"text": "hm", **sent}, files=WAV).json()
    assert models.calls[0] == ("multimodal", b"hm", GOOD_AUDIO, weight)
    assert answer["modality"] == "multimodal_fused"
    assert answer["all_scores"] == upper(fuse(weight))
    assert answer["confidence"] == max(answer["all_scores"].values())
    assert answer["fusion_weights"] == {"text": weight, "audio": round(1 - weight, 6)}
    assert answer["sub_results"]["text"]["all_scores"] == upper(TEXT_SCORES)
    assert answer["sub_results"]["audio"]["all_scores"] == upper(AUDIO_SCORES)
    assert set(answer["models"]) == {"text", "audio"}


def test_default_weight_is_the_setting(database_url: str, own_models: FakeModels) -> None:
    settings = Settings(DATABASE_URL=database_url, text_weight=0.25)
    with serve(create_app(settings, lambda _: own_models)) as client:
        answer = client.post("/analyze/multimodal", data={"text": "hm"}, files=WAV).json()
    assert answer["fusion_weights"] == {"text": 0.25, "audio": 0.75}


def test_one_modality_of_multimodal(client: httpx.Client) -> None:
    text = client.post("/analyze/multimodal", data={"text": "hm"}).json()
    assert text["modality"] == "text_only"
    assert text["fusion_weights"] == {"text": 1.0, "audio": 0.0}
    assert set(text["sub_results"]) == set(text["models"]) == {"text"}
    assert text["degraded"] is None
    # A browser's form sends the text field empty.
    audio = client.post("/analyze/multimodal", data={"text": ""}, files=WAV).json()
    assert audio["modality"] == "audio_only"
    assert audio["fusion_weights"] == {"text": 0.0, "audio": 1.0}
    assert audio["degraded"] is None


@pytest.mark.parametrize("text", ["a\0b", "👩‍👩‍👧 שלום", "\ufeffx", "&=+%41", "z" * 10**6])
def test_text_arrives_as_it_was_sent(client: httpx.Client, models: FakeModels, text: str) -> None:
    for body in ({"data": {"text": text}}, {"json": {"text": text}},
                 {"files": {"text": (None, text)}}):  # fmt: skip
        assert client.post("/analyze/text", **body).status_code == 200
        assert models.calls[-1] == ("text", text.encode())


def test_content_type_with_parameters_and_capitals(
    client: httpx.Client, models: FakeModels
) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = json.dumps({"text": "hé"}).encode()
    assert client.post("/analyze/text", content=body, headers=headers).status_code == 200
    headers = {"Content-Type": "application/X-WWW-form-urlencoded; charset=utf-8"}
    assert client.post("/analyze/text", content=b"text=h%C3%A9", headers=headers).is_success
    assert models.calls == [("text", "hé".encode())] * 2


def test_truncation_is_a_warning(client: httpx.Client, models: FakeModels) -> None:
    models.truncated_tokens = 17
    answer = client.post("/analyze/text", data={"text": "long"}).json()
    assert len(answer["warnings"]) == 1
    assert "17 tokens" in answer["warnings"][0]
