"""A recording under way: everything that an API can tell meanwhile, against real sockets."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.test_client import Scripted, scripted
from ui.client import Client, Clip
from ui.timeline_request import Request
from ui.timeline_run import PATH, Run

__all__ = ["scripted"]

BUTTON = "Use the sample"
REQUEST = Request(Clip("a.wav", b"RIFF" * 1000, "audio/wav"), None, align=True, button=BUTTON)
NDJSON = {"Content-Type": "application/x-ndjson"}
EVENTS: list[dict[str, Any]] = [
    {"event": "progress", "stage": "decoding", "done": 3.0, "total": None},
    {"event": "waveform", "step_s": 0.1, "peaks": [0.5]},
    {"event": "alignment", "status": "no_transcript"},
    {"event": "segment", "number": 0},
    {"event": "summary", "id": "x", "latency_ms": 5.0},
]


def lines(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def done(url: str, wanted: Callable[[], bool] = lambda: True) -> Run:
    run = Run(Client(url, 10), REQUEST, wanted)
    deadline_s = time.monotonic() + 30
    while run.under_way:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return run


def test_everything_told_is_there_when_it_is_done(scripted: str) -> None:
    Scripted.answers[PATH] = (200, NDJSON, lines(EVENTS))
    run = done(scripted)
    assert run.error is None
    assert run.answer == {"id": "x", "latency_ms": 5.0, "segments": [{"number": 0}]}
    assert run.waveform["peaks"] == [0.5]


def test_the_pages_key_is_sent(scripted: str) -> None:
    Scripted.answers[PATH] = (200, NDJSON, lines(EVENTS))
    run = Run(Client(scripted, 10, "ns_k"), REQUEST, lambda: True)
    while run.under_way:
        time.sleep(0.01)
    assert Scripted.sent == ["Bearer ns_k"]


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (401, "key_missing", "neurosense keys create page"),
        (408, "upload_too_slow", "NEUROSENSE_UPLOAD_TIMEOUT_S"),
        (413, "audio_too_large", "NEUROSENSE_MAX_TIMELINE_BYTES"),
        (413, "transcript_too_large", "into parts"),
        (413, "something_new", "Change the recording or its transcript and press"),
        (422, "transcript_invalid", "Correct the transcript"),
        (422, "audio_missing", "has sound in it"),
        (429, "rate_limited", "Wait 7 seconds and press"),
        (503, "overloaded", "Other long recordings are in work. Wait 7 seconds"),
        (503, "disk_full", "Make room"),
        (503, "something_new", "Wait 7 seconds"),
        (500, "internal", "log"),
    ],
)
def test_a_refusal_becomes_words_and_what_to_do(
    scripted: str, status: int, code: str, advice: str
) -> None:
    body = json.dumps({"detail": "it cannot be", "code": code}).encode()
    Scripted.answers[PATH] = (status, {"Retry-After": "7"}, body)
    run = done(scripted)
    assert_advised(run, advice)
    if code.startswith("transcript"):
        assert run.error
        assert "MP3" not in run.error.advice


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("audio_undecodable", "Add another recording"),
        ("audio_too_long", "NEUROSENSE_MAX_TIMELINE_SECONDS"),
        ("segments_overlap", "Correct the transcript"),
        ("segment_beyond_end", "is this recording's"),
        ("no_speech", "Add its transcript"),
        ("model_unavailable", "Wait a few seconds"),
        ("disk_full", "Make room"),
        ("something_new", "log"),
    ],
)
def test_an_error_on_the_way_becomes_words_too(scripted: str, code: str, advice: str) -> None:
    error = {"event": "error", "detail": "it cannot be", "code": code}
    Scripted.answers[PATH] = (200, NDJSON, lines([EVENTS[0], error]))
    assert_advised(done(scripted), advice)


def assert_advised(run: Run, advice: str) -> None:
    """Expect this advice, and that what it says to press is what was pressed."""
    assert run.error
    assert run.error.problem == "It cannot be."
    assert advice in run.error.advice
    assert not {"Analyze", "sentence"} & set(run.error.advice.replace(".", " ").split())
    assert run.error.advice.count("press ") == run.error.advice.count(f"press {BUTTON} again")


@pytest.mark.parametrize("events", [EVENTS[:-1], []], ids=["some", "none"])
def test_an_answer_that_breaks_off_is_no_answer(
    scripted: str, events: list[dict[str, Any]]
) -> None:
    Scripted.answers[PATH] = (200, NDJSON, lines(events))
    error = done(scripted).error
    assert error
    assert "broke off" in error.problem


def test_another_service_at_the_address_is_told_apart(scripted: str) -> None:
    Scripted.answers[PATH] = (200, {"Content-Type": "text/html"}, b"<html>a login page</html>")
    error = done(scripted).error
    assert error
    assert "not as NeuroSense does" in error.problem


def test_what_nobody_looks_at_is_given_up(scripted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.timeline_run._GRACE_S", -1.0)
    Scripted.answers[PATH] = (200, NDJSON, lines(EVENTS))
    run = done(scripted, wanted=lambda: False)
    assert run.stopped
    assert (run.summary, run.error) == (None, None)
