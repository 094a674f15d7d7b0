"""Answers and rows of the API over the real Triton and the real database."""

import httpx
import numpy as np
import pytest

from tests.api.real import NOT_AUDIO, ask, assert_prediction, assert_problem, log_row
from tests.conftest import Stack
from tests.recordings import encoded, wav
from tests.waiting import wait_for

AUDIO_EMOTIONS = {"ANGER", "JOY", "NEUTRAL", "SADNESS"}


@pytest.mark.parametrize("text", ["I love this!", "I am furious with you"])
@pytest.mark.parametrize("weight", [None, "0", "1", "0.3", "0.55", "0.123456"])
def test_fused_is_the_weighted_sum(api: httpx.Client, text: str, weight: str | None) -> None:
    sent = {} if weight is None else {"text_weight": weight}
    answer = ask(api, text, wav(), **sent).json()
    share = float(weight or 0.55)
    assert answer["modality"] == "multimodal_fused"
    assert answer["fusion_weights"] == pytest.approx({"text": share, "audio": 1 - share}, abs=1e-9)
    of_text, of_audio = (answer["sub_results"][name]["all_scores"] for name in ("text", "audio"))
    assert len(of_text) == len(answer["all_scores"]) == 7
    assert set(of_audio) == AUDIO_EMOTIONS
    for emotion, score in answer["all_scores"].items():
        fused = share * of_text[emotion] + (1 - share) * of_audio.get(emotion, 0)
        assert score == pytest.approx(fused, abs=1e-6)
    assert_prediction(answer)
    assert_prediction(answer["sub_results"]["text"])
    assert_prediction(answer["sub_results"]["audio"])


def test_the_parts_equal_what_the_branches_say_alone(api: httpx.Client) -> None:
    recording = wav(1.5, seed=3)
    fused = ask(api, "I love this!", recording).json()
    text = api.post("/analyze/text", json={"text": "I love this!"}).json()
    audio = api.post("/analyze/audio", files={"audio": recording}).json()
    for name, alone in (("text", text), ("audio", audio)):
        part = fused["sub_results"][name]["all_scores"]
        assert part == pytest.approx(alone["all_scores"], abs=1e-4)
        assert fused["models"][name] == alone["models"][name]


def test_one_modality(api: httpx.Client) -> None:
    text = ask(api, "I love this!").json()
    assert text["modality"] == "text_only"
    assert text["fusion_weights"] == {"text": 1.0, "audio": 0.0}
    audio = ask(api, "", wav()).json()
    assert audio["modality"] == "audio_only"
    assert audio["fusion_weights"] == {"text": 0.0, "audio": 1.0}
    assert set(audio["all_scores"]) == AUDIO_EMOTIONS
    for answer, branch in ((text, "text"), (audio, "audio")):
        assert answer["degraded"] is None
        assert set(answer["models"]) == set(answer["sub_results"]) == {branch}
        assert answer["models"][branch]["weights"] == "starter"
        assert_prediction(answer)


def test_silence_is_answered(api: httpx.Client) -> None:
    silence = encoded(np.zeros(16_000, dtype=np.float32), 16_000, "WAV")
    assert_prediction(api.post("/analyze/audio", files={"audio": silence}).json())


@pytest.mark.parametrize(
    "text", ["a\0b", "👩‍👩‍👧 😡", "שלום ỗ \u202e", "\u0300", "\U0001d574 \ufffd"]
)
def test_any_unicode(api: httpx.Client, text: str) -> None:
    for body in ({"data": {"text": text}}, {"json": {"text": text}}):
        answer = api.post("/analyze/text", **body).json()  # type: ignore[arg-type]
        assert_prediction(answer)
        assert answer["warnings"] == []


def test_a_megabyte_of_text_is_answered_with_a_warning(api: httpx.Client) -> None:
    answer = api.post("/analyze/text", data={"text": "I love it. " * 90_000}).json()
    assert_prediction(answer)
    assert "tokens" in answer["warnings"][0]
    too_much = api.post("/analyze/text", data={"text": "x" * (2**20 + 1)})
    assert_problem(too_much, 413, "text_too_large")


def test_rows_equal_answers(api: httpx.Client, stack: Stack) -> None:
    responses = [
        api.post("/analyze/text", data={"text": "I love this!"}, headers={"X-Request-ID": "my-1"}),
        api.post("/analyze/audio", files={"audio": wav()}),
        ask(api, "I love this!", wav(), text_weight="0.3"),
        ask(api, "I love this!"),
        ask(api, None, wav()),
        ask(api, "I love this!", NOT_AUDIO),
    ]
    assert responses[0].headers["X-Request-ID"] == "my-1"
    for response in responses:
        answer = response.json()
        row = log_row(stack, answer)
        assert str(row.pop("id")) == answer["id"]
        assert row.pop("input_text") is None
        assert row.pop("created_at").tzinfo is not None
        assert row.pop("request_id") == response.headers["X-Request-ID"]
        assert (row.pop("track"), row.pop("shadow_of")) == ("current", None)
        assert [row.pop(name) for name in ("recording_id", "start_s", "end_s", "speaker")] == [
            None
        ] * 4
        expected = {"fusion_weights": row["fusion_weights"], **answer}
        assert row == {name: expected[name] for name in row}


def test_health_of_the_whole(api: httpx.Client) -> None:
    weights = {"text": "starter", "audio": "starter"}
    model = api.post("/analyze/text", data={"text": "x"}).json()["models"]["text"]
    # A probe asks for less than a second, which may be short while others keep the models busy.
    wait_for(lambda: api.get("/health").json()["weights"] == weights)
    wait_for(lambda: api.get("/").json()["models"]["text"] == model)
    wait_for(lambda: api.get("/health/ready").json() == {"status": "ok", "log": "ok"})
