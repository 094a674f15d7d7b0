"""One modality fails in the real Triton: by its input, or because its model is down."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import tritonclient.grpc

from serving import control
from tests.api.real import NOT_AUDIO, ask, assert_prediction, assert_problem, log_row, long_zeros
from tests.conftest import Stack
from tests.recordings import wav
from tests.waiting import wait_for

WORDS = ("glad", "furious", "afraid", "sad", "amazed", "disgusted", "fine", "in love")
BRANCH_MODELS = {
    "text": ("text_classifier", "emotion_text", "emotion_multimodal"),
    "audio": ("audio_classifier", "emotion_audio", "emotion_multimodal"),
}


@pytest.mark.parametrize(
    ("text", "audio", "failed", "code"),
    [
        ("I love this!", lambda: NOT_AUDIO, "audio", "audio_undecodable"),
        ("I love this!", lambda: b"", "audio", "audio_empty"),
        ("I love this!", lambda: wav(31), "audio", "audio_too_long"),
        ("I love this!", long_zeros, "audio", "audio_too_long"),
        (" \n\t", wav, "text", "text_empty"),
        (b"\xff\xfe", wav, "text", "text_invalid"),
    ],
)
def test_degraded_by_input(
    api: httpx.Client, stack: Stack, text: str | bytes, audio: Any, failed: str, code: str
) -> None:
    answer = ask(api, text, audio()).json()
    worked = "text" if failed == "audio" else "audio"
    assert answer["modality"] == f"{worked}_only"
    assert answer["fusion_weights"][worked] == 1.0
    assert (answer["degraded"]["modality"], answer["degraded"]["code"]) == (failed, code)
    assert "ensemble" not in answer["degraded"]["reason"]
    assert set(answer["models"]) == {worked}
    assert_prediction(answer)
    assert log_row(stack, answer)["degraded"] == answer["degraded"]


@contextlib.contextmanager
def without(stack: Stack, *models: str) -> Iterator[None]:
    """Unload models, and load them again."""
    triton = tritonclient.grpc.InferenceServerClient(stack.triton_grpc)
    key = control.headers(stack.triton_control_key)
    try:
        for model in models:
            triton.unload_model(model, headers=key)
        wait_for(lambda: not any(triton.is_model_ready(model) for model in models))
        yield
    finally:
        for model in models:
            triton.load_model(model, headers=key)
        triton.close()
        wait_until_ready(stack)


def wait_until_ready(stack: Stack) -> None:
    def ready() -> httpx.Response:
        return httpx.get(f"{stack.api_url}/health/ready", timeout=60)

    wait_for(lambda: ready().is_success, instead=lambda: ready().text)


@pytest.mark.parametrize("failed", ["text", "audio"])
@pytest.mark.parametrize("count", [1, 3])
def test_degraded_by_a_branch_that_is_down(
    api: httpx.Client, stack: Stack, failed: str, count: int
) -> None:
    """Down is the classifier alone (1), or with the ensembles that need it (3)."""
    worked = "text" if failed == "audio" else "audio"
    with without(stack, *BRANCH_MODELS[failed][:count]):
        answer = ask(api, "I love this!", wav()).json()
        assert answer["modality"] == f"{worked}_only"
        assert answer["degraded"]["modality"] == failed
        assert answer["degraded"]["code"] == "model_unavailable"
        assert_prediction(answer)
        assert log_row(stack, answer)["degraded"] == answer["degraded"]
        assert_problem(api.get("/health/ready"), 503, "not_ready")
        lone = ask(api, **{failed: "hm" if failed == "text" else wav()})  # type: ignore[arg-type]
        assert_problem(lone, 503, "model_unavailable")
        assert int(lone.headers["retry-after"]) > 0
    assert ask(api, "I love this!", wav()).json()["modality"] == "multimodal_fused"


@contextlib.contextmanager
def short_queue(stack: Stack, model: str) -> Iterator[None]:
    """Let one request wait for a model, for seconds; then as its config.pbtxt says again."""
    triton = tritonclient.grpc.InferenceServerClient(stack.triton_grpc)
    key = control.headers(stack.triton_control_key)
    config = triton.get_model_config(model, as_json=True)["config"]
    before = json.dumps(config)
    batching = config["dynamic_batching"]
    batching["default_queue_policy"]["max_queue_size"] = 1
    # For a batch that cannot come: a request stays in the queue until others have met it.
    batching["preferred_batch_size"] = [config["max_batch_size"]]
    batching["max_queue_delay_microseconds"] = 5_000_000
    try:
        triton.load_model(model, headers=key, config=json.dumps(config))
        wait_until_ready(stack)
        yield
    finally:
        # Without a config Triton would keep the short queue: the file has not changed.
        triton.load_model(model, headers=key, config=before)
        assert json.dumps(triton.get_model_config(model, as_json=True)["config"]) == before
        triton.close()
        wait_until_ready(stack)


def test_a_full_queue_of_tritons_is_overload(api: httpx.Client, stack: Stack) -> None:
    recording = wav()
    with short_queue(stack, "audio_decoder"), ThreadPoolExecutor(12) as threads:
        asked = list(threads.map(lambda _: ask(api, audio=recording), range(12)))
    refused = [response for response in asked if not response.is_success]
    assert 0 < len(refused) < len(asked)
    for response in refused:
        assert_problem(response, 503, "overloaded")
        assert int(response.headers["retry-after"]) > 0


def test_both_branches_down(api: httpx.Client, stack: Stack) -> None:
    with without(stack, "text_classifier", "audio_classifier", *BRANCH_MODELS["text"][1:]):
        assert_problem(ask(api, "hm", wav()), 503, "model_unavailable")
        assert api.get("/health").is_success
        assert api.get("/health/live").is_success


def test_both_inputs_bad(api: httpx.Client) -> None:
    response = ask(api, "  ", NOT_AUDIO)
    assert_problem(response, 422, "text_empty")
    assert "audio:" in response.json()["detail"]


def test_failing_requests_disturb_no_others(api: httpx.Client) -> None:
    """Triton 2.51 mixes requests up if a step fails while a parallel one still reads them."""
    texts = [f"Sentence {n} says that I am {word}." for n, word in enumerate(WORDS)]
    alone = {text: ask(api, text).json()["all_scores"] for text in texts}

    def check(text: str) -> None:
        answer = ask(api, text, NOT_AUDIO).json()
        assert answer["degraded"]["code"] == "audio_undecodable"
        assert answer["all_scores"] == pytest.approx(alone[text], abs=1e-4)
        assert_problem(ask(api, "  ", NOT_AUDIO), 422, "text_empty")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(check, texts * 10))
    assert ask(api, "I love this!", wav()).json()["modality"] == "multimodal_fused"
