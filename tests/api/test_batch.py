"""Many items in one call: each has its own answer or error, in the order sent."""

import asyncio
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.admission import Admission, OverloadedError
from api.app import create_app
from api.errors import ApiError
from api.faults import timed_out
from api.metrics import Metrics
from api.models import BranchResult
from api.settings import Settings
from tests.api.asking import Rows, assert_problem
from tests.api.conftest import Shared
from tests.api.fakes import GOOD_AUDIO, FakeModels, down
from tests.api.servers import serve
from tests.waiting import until_set, wait_for

Field = tuple[str, tuple[str | None, bytes]]


def text(value: bytes) -> Field:
    return "text", (None, value)


def audio(value: bytes) -> Field:
    return "audio", ("a.wav", value)


def test_items_of_both_kinds_in_the_order_sent(client: httpx.Client, rows: Rows) -> None:
    sent = [
        text(b"hm"), audio(b"no recording"), audio(GOOD_AUDIO), text(b" "), text(b"\xff"),
        ("speaker", (None, b"no item")), audio(b""), text(b"hm"),
    ]  # fmt: skip
    answer = client.post("/analyze/batch", files=sent).json()
    found = [one.get("code", one.get("modality")) for one in answer["results"]]
    assert found == [
        "text", "audio_undecodable", "audio", "text_empty", "text_invalid", "audio_empty", "text",
    ]  # fmt: skip
    assert answer["failed"] == 4
    assert set(answer["results"][1]) == {"detail", "code"}
    answered = {one["id"] for one in answer["results"] if "id" in one}
    logged = rows()
    assert {str(row["id"]) for row in logged} == answered
    assert len(logged) == 3
    assert len({row["request_id"] for row in logged}) == 1


def test_json(client: httpx.Client) -> None:
    answer = client.post("/analyze/batch", json={"texts": ["one", "", "three"]}).json()
    assert [one.get("code") for one in answer["results"]] == [None, "text_empty", None]
    alone = client.post("/analyze/text", json={"text": "one"}).json()
    assert answer["results"][0] == alone | {
        name: answer["results"][0][name] for name in ("id", "latency_ms")
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"texts": []}, 422, "invalid_request"),
        ({"texts": "one"}, 422, "invalid_request"),
        ({"texts": ["one", 2]}, 422, "invalid_request"),
        ({"text": "one"}, 422, "invalid_request"),
        ({"texts": ["x"] * 65}, 422, "batch_too_long"),
        ({"texts": ["x", "x" * (2**20 + 1)]}, 413, "text_too_large"),
    ],
)
def test_json_that_is_refused(
    client: httpx.Client, rows: Rows, body: Any, status: int, code: str
) -> None:
    assert_problem(client.post("/analyze/batch", json=body), status, code)
    assert rows() == []


def test_bodies_that_are_refused(client: httpx.Client, models: FakeModels) -> None:
    def code(**sent: Any) -> tuple[int, str]:
        response = client.post("/analyze/batch", **sent)
        return response.status_code, response.json()["code"]

    kind = {"Content-Type": "application/json"}
    assert code(content=b'{"texts": [', headers=kind) == (400, "malformed_body")
    lone = b'{"texts": ["\\ud800"]}'
    assert code(content=lone, headers=kind) == (400, "malformed_body")
    assert code(content=b"x", headers={"Content-Type": "text/plain"})[0] == 415
    assert code(files=[("x", (None, b"y"))]) == (422, "nothing_to_analyze")
    assert code(files=[text(b"y")] * 65) == (422, "batch_too_long")
    assert code(files=[text(b"y")] * 200) == (400, "malformed_body")
    assert code(files=[text(b"y"), text(b"y" * (2**20 + 1))]) == (413, "text_too_large")
    too_large = audio(b"RIFF".ljust(25 * 2**20 + 1))
    assert code(files=[text(b"y"), too_large]) == (413, "audio_too_large")
    # Each is within its limit, the body is not.
    assert code(files=[audio(b"RIFF".ljust(8 * 2**20))] * 4) == (413, "body_too_large")
    assert models.calls == []


def test_64_items(client: httpx.Client, rows: Rows) -> None:
    answer = client.post("/analyze/batch", files=[text(b"hm"), audio(GOOD_AUDIO)] * 32).json()
    assert [one["modality"] for one in answer["results"]] == ["text", "audio"] * 32
    assert len(rows()) == 64


def test_a_branch_that_is_down_fails_its_items_alone(
    client: httpx.Client, models: FakeModels
) -> None:
    models.faults["audio"] = down()
    answer = client.post("/analyze/batch", files=[audio(GOOD_AUDIO), text(b"hm")]).json()
    assert [one.get("code") for one in answer["results"]] == ["model_unavailable", None]


@pytest.mark.parametrize(("fault", "status"), [(down(), 503), (timed_out(), 504)])
def test_where_nothing_can_be_answered_the_batch_is_refused(
    client: httpx.Client, models: FakeModels, fault: ApiError, status: int
) -> None:
    models.faults["text"] = models.faults["audio"] = fault
    answer = client.post("/analyze/batch", files=[audio(GOOD_AUDIO), text(b"hm")])
    assert_problem(answer, status, fault.code)
    assert int(answer.headers["retry-after"]) > 0
    # What is the item's own fault is told, and no other try would mend it.
    del models.faults["text"]
    answer = client.post("/analyze/batch", files=[audio(GOOD_AUDIO), text(b" ")])
    assert answer.status_code == 200
    assert [one["code"] for one in answer.json()["results"]] == [fault.code, "text_empty"]


class Counting(FakeModels):
    """Notes how many calls are under way, and lets them end when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.go_on = threading.Event()

    async def text(self, text: bytes, timeout_s: float) -> BranchResult:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        await until_set(self.go_on)
        self.now -= 1
        return await super().text(text, timeout_s)


def test_batches_run_at_once_within_their_share(database_url: str) -> None:
    models = Counting()
    settings = Settings(DATABASE_URL=database_url, max_concurrent_requests=16)
    batch = {"texts": ["hm"] * 16}
    with serve(create_app(settings, lambda _: models)) as client, ThreadPoolExecutor(6) as threads:
        models.go_on.set()
        assert client.post("/analyze/batch", json=batch).json()["failed"] == 0
        assert models.most == 4  # a quarter
        models.go_on.clear()
        batches = [threads.submit(client.post, "/analyze/batch", json=batch) for _ in range(5)]
        wait_for(lambda: models.now == 8, timeout_s=20, instead=lambda: models.now)
        alone = threads.submit(client.post, "/analyze/text", json={"text": "hm"})
        wait_for(lambda: models.now == 9, timeout_s=20, instead=lambda: models.now)
        models.go_on.set()
        assert alone.result().is_success
        assert [one.result().json()["failed"] for one in batches] == [0] * 5
    assert models.most == 9  # batches half, and the one text


def test_an_item_waits_for_a_place_and_not_for_ever() -> None:
    async def run() -> None:
        admission = Admission(1, Metrics())
        with admission.place():
            with pytest.raises(OverloadedError):
                async with admission.turn(timeout_s=0.05):
                    raise AssertionError
            waiting = asyncio.create_task(hold(admission))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await asyncio.wait_for(waiting, 10)
        with admission.place():  # given back
            pass

    async def hold(admission: Admission) -> None:
        async with admission.turn(timeout_s=10):
            pass

    asyncio.run(run())


def test_a_client_that_leaves_cancels_what_is_left(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def hang(_text: bytes, _timeout_s: float) -> BranchResult:
        seen.append("started")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")
        raise AssertionError

    monkeypatch.setattr(shared.models, "text", hang)
    body = json.dumps({"texts": ["hm"] * 20}).encode()
    head = "POST /analyze/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    client = shared.client
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as leaver:
        leaver.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_for(lambda: len(seen) == 4, instead=lambda: seen)
    wait_for(lambda: len(seen) == 8, instead=lambda: seen)
    monkeypatch.undo()
    assert client.post("/analyze/batch", json={"texts": ["hm"] * 20}).json()["failed"] == 0
    assert sorted(seen) == ["ended"] * 4 + ["started"] * 4
