"""A canary and a shadow with models that know one answer: who answers, and what is logged."""

import logging
import math
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.models import BranchResult
from api.request_id import answering
from api.settings import Settings
from api.trial import Trial
from tests.api.asking import WAV, assert_problem
from tests.api.fakes import FakeModels, down
from tests.api.servers import read_rows, serve
from tests.api.streams import end, of, open_stream, seconds
from tests.api.test_metrics import value
from tests.api.test_stream import SPOKEN
from tests.api.test_timeline import AUDIO
from tests.waiting import wait_for

TEXT = {"text": "hm"}
CANARY = {"X-Model-Track": "canary"}


def on_trial(kind: Any, percent: float = 100.0, branch: Any = "text") -> Trial:
    return Trial(branch=branch, version="9", kind=kind, percent=percent)


@pytest.fixture
def own(
    database_url: str, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """An app that learns of trials at once, and keeps what people write."""
    monkeypatch.setattr("api.trials._EVERY_S", 0.01)
    settings = Settings(
        DATABASE_URL=database_url, request_timeout_s=1, store_input_text=True,
        max_concurrent_requests=8,
    )  # fmt: skip
    with serve(create_app(settings, lambda _: own_models)) as client:
        yield client


@pytest.fixture
def begin(own: httpx.Client, own_models: FakeModels) -> Callable[[Trial | None], None]:
    def begin(trial: Trial | None) -> None:
        own_models.running = trial
        shown = None if trial is None else trial.model_dump()
        wait_for(lambda: own.get("/").json()["trial"] == shown)

    return begin


def ask(client: httpx.Client, **headers: str) -> tuple[str, str]:
    """Return the version of the text model that answered, and the track."""
    answer = client.post("/analyze/text", data=TEXT, headers=headers).json()
    return answer["models"]["text"]["version"], answer.get("track", "current")


def outcomes(client: httpx.Client, track: str) -> dict[str, float]:
    counts = {
        outcome: value(client, "trial_results_total", track=track, outcome=outcome)
        for outcome in ("answered", "failed", "dropped")
    }
    return {outcome: count for outcome, count in counts.items() if count}


def drawn(identity: str, percent: float) -> bool:
    with answering(identity):
        return on_trial("canary", percent).draws_this()


@pytest.mark.parametrize("percent", [1, 10, 50, 99.5])
def test_the_share_of_requests_is_the_percentage(percent: float) -> None:
    n, p = 20_000, percent / 100
    for identities in ([uuid.uuid4().hex for _ in range(n)], [f"request-{i}" for i in range(n)]):
        found = sum(drawn(identity, percent) for identity in identities)
        assert abs(found - n * p) < 5 * math.sqrt(n * p * (1 - p))


def test_none_all_and_who_belonged_to_a_smaller_share() -> None:
    identities = [uuid.uuid4().hex for _ in range(1000)]
    assert not any(drawn(identity, 0) for identity in identities)
    assert all(drawn(identity, 100) for identity in identities)
    assert all(drawn(one, 20) for one in identities if drawn(one, 10))


def test_a_canary_answers_some_and_says_so(
    own: httpx.Client, begin: Any, database_url: str
) -> None:
    begin(on_trial("canary", 50))
    found = Counter(ask(own) for _ in range(60))
    assert set(found) == {("3", "current"), ("9", "canary")}
    rows = Counter(
        (row["models"]["text"]["version"], row["track"]) for row in read_rows(database_url)
    )
    assert rows == found
    assert outcomes(own, "canary") == {"answered": found["9", "canary"]}
    by_version = {f"text fake-text {version} (local)": n for (version, _), n in found.items()}
    assert own.get("/stats").json()["models"] == by_version
    chosen = own.get("/stats", params={"track": "canary"}).json()
    assert chosen["models"] == own.get("/stats", params={"model_version": "9"}).json()["models"]
    begin(None)
    assert {ask(own) for _ in range(20)} == {("3", "current")}


def test_all_of_a_request_is_answered_by_one_version(own: httpx.Client, begin: Any) -> None:
    begin(on_trial("canary", 50))
    seen = set()
    for n in range(12):  # of which not all are drawn, whoever draws
        texts, named = {"texts": ["a", "b", "c", "d"]}, {"X-Request-ID": f"request-{n}"}
        batch = own.post("/analyze/batch", json=texts, headers=named).json()
        [version] = {one["models"]["text"]["version"] for one in batch["results"]}
        seen.add(version)
    assert seen == {"3", "9"}
    again = {"X-Request-ID": "the-same"}
    assert len({ask(own, **again) for _ in range(8)}) == 1


def test_the_header_chooses(own: httpx.Client, begin: Any) -> None:
    begin(on_trial("canary", 0))
    assert ask(own) == ("3", "current")
    assert ask(own, **CANARY) == ("9", "canary")
    begin(on_trial("canary", 100))
    assert ask(own, **{"X-Model-Track": "current"}) == ("3", "current")
    answer = own.post("/analyze/audio", files=WAV, headers=CANARY).json()
    assert "track" not in answer  # the candidate is for texts
    refused = own.post("/analyze/text", data=TEXT, headers={"X-Model-Track": "shadow"})
    assert_problem(refused, 422, "invalid_request")
    assert "X-Model-Track" in refused.json()["detail"]


@pytest.mark.parametrize("trial", [None, on_trial("shadow")])
def test_a_canary_that_is_none_cannot_be_chosen(
    own: httpx.Client, begin: Any, trial: Trial | None
) -> None:
    begin(trial)
    assert_problem(own.post("/analyze/text", data=TEXT, headers=CANARY), 422, "no_canary")


def test_a_canary_that_fails_costs_nobody_an_answer(
    own: httpx.Client, own_models: FakeModels, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begin(on_trial("canary"))
    own_models.candidate.faults["text"] = down()
    with caplog.at_level(logging.WARNING, "neurosense.api"):
        assert {ask(own) for _ in range(3)} == {("3", "current")}
    assert outcomes(own, "canary") == {"failed": 3}
    [told] = [one.getMessage() for one in caplog.records if "canary" in one.getMessage()]
    assert "text version 9" in told
    assert "model_unavailable" in told
    both = own.post("/analyze/multimodal", data=TEXT, files=WAV).json()
    assert both["degraded"] is None
    assert (both["models"]["text"]["version"], "track" in both) == ("3", False)
    refused = own.post("/analyze/text", data=TEXT, headers=CANARY)
    assert_problem(refused, 503, "model_unavailable")  # who asks for the candidate hears of it


def test_a_canary_that_hangs_leaves_time_for_the_served_version(
    own: httpx.Client, own_models: FakeModels, begin: Any
) -> None:
    begin(on_trial("canary"))
    own_models.candidate.hanging.add("text")
    assert ask(own) == ("3", "current")
    assert outcomes(own, "canary") == {"failed": 1}


def test_what_a_client_does_wrong_is_no_fault_of_a_canary(own: httpx.Client, begin: Any) -> None:
    begin(on_trial("canary"))
    assert_problem(own.post("/analyze/text", data={"text": " "}), 422, "text_empty")
    files = {"audio": ("a.wav", b"no audio")}
    answer = own.post("/analyze/multimodal", data=TEXT, files=files).json()
    assert answer["degraded"]["code"] == "audio_undecodable"
    assert outcomes(own, "canary") == {}


def test_a_canary_that_has_just_ended_did_not_fail(
    own: httpx.Client, own_models: FakeModels, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(on_trial("canary"))

    async def end(_text: bytes, _timeout_s: float) -> BranchResult:
        own_models.running = None
        raise down()

    monkeypatch.setattr(own_models.candidate, "text", end)
    assert ask(own) == ("3", "current")
    assert outcomes(own, "canary") == {}


def test_a_recording_and_a_stream_have_one_track(
    own: httpx.Client, begin: Any, database_url: str
) -> None:
    begin(on_trial("canary", branch="audio"))
    timeline = own.post("/analyze/timeline", files={"audio": ("a.flac", AUDIO)}, timeout=60).json()
    assert {one["result"]["track"] for one in timeline["segments"]} == {"canary"}
    with open_stream(own.base_url) as stream:
        for piece in seconds(SPOKEN, 0.5):
            stream.send(piece)
        told = end(stream)
    assert {one["track"] for one in of(told, "segment") + of(told, "window")} == {"canary"}
    rows = read_rows(database_url)
    assert {row["track"] for row in rows} == {"canary"}
    assert [row["modality"] for row in rows].count("timeline") == 2
    with open_stream(own.base_url, additional_headers={"X-Model-Track": "current"}) as stream:
        for piece in seconds(SPOKEN, 0.5):
            stream.send(piece)
        told = end(stream)
    assert of(told, "segment")
    assert not any("track" in one for one in told)


def test_a_shadow_is_only_logged(own: httpx.Client, begin: Any, database_url: str) -> None:
    begin(on_trial("shadow"))
    given = own.post("/analyze/multimodal", data=TEXT, files=WAV).json()
    assert (given["models"]["text"]["version"], "track" in given) == ("3", False)
    own.post("/analyze/audio", files=WAV)  # no part of the candidate's
    wait_for(lambda: outcomes(own, "shadow") == {"answered": 1})
    assert own.get("/stats").json()["total"] == 2
    assert "text fake-text 9 (local)" not in own.get("/stats").json()["models"]
    found = own.get("/stats", params={"track": "shadow"}).json()
    assert found["models"] == {"text fake-text 9 (local)": 1, "audio fake-audio 2 (hub)": 1}
    [shown] = own.get("/predictions", params={"track": "shadow"}).json()["predictions"]
    assert (shown["shadow_of"], shown["modality"]) == (given["id"], "multimodal_fused")
    assert [one["track"] for one in own.get("/predictions").json()["predictions"]] == [
        "current"
    ] * 2
    texts = {
        row["track"]: row["input_text"] for row in read_rows(database_url) if row["input_text"]
    }
    assert texts == {"current": "hm"}  # once is enough


def test_who_forgets_a_prediction_forgets_its_shadow(
    own: httpx.Client, begin: Any, database_url: str
) -> None:
    begin(on_trial("shadow"))
    given = own.post("/analyze/text", data=TEXT).json()
    wait_for(lambda: len(read_rows(database_url)) == 2)
    assert own.delete(f"/predictions/{given['id']}").status_code == 204
    assert read_rows(database_url) == []


def test_a_shadow_that_fails_or_hangs_is_not_noticed(
    own: httpx.Client, own_models: FakeModels, begin: Any
) -> None:
    begin(on_trial("shadow"))
    own_models.candidate.faults["text"] = down()
    assert ask(own) == ("3", "current")
    wait_for(lambda: outcomes(own, "shadow") == {"failed": 1})
    own_models.candidate.hanging.add("text")
    own_models.candidate.given_up = threading.Event()
    for _ in range(5):  # two are under way at a time, a quarter of the places
        assert ask(own) == ("3", "current")
    assert outcomes(own, "shadow") == {"failed": 1, "dropped": 3}
    own_models.candidate.given_up.set()
    wait_for(lambda: outcomes(own, "shadow") == {"failed": 3, "dropped": 3})


def test_a_shadow_of_some(own: httpx.Client, begin: Any) -> None:
    begin(on_trial("shadow", 50))
    for _ in range(40):
        ask(own)
    wait_for(lambda: own.get("/stats", params={"track": "shadow"}).json()["total"] > 0)
    assert sum(outcomes(own, "shadow").values()) < 40
