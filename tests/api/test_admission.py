"""What is over the bound is refused at once, and everybody inside is answered."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.admission import Admission, OverloadedError
from api.app import create_app
from api.metrics import Metrics
from api.settings import Settings
from tests.api.asking import assert_problem
from tests.api.fakes import FakeModels
from tests.api.servers import connected, serve
from tests.waiting import wait_for

PLACES = 3


def post(client: httpx.Client) -> httpx.Response:
    return client.post("/analyze/text", data={"text": "hm"})


def in_the_metrics(client: httpx.Client) -> float:
    name = 'neurosense_refused_total{reason="overloaded"} '
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)


def test_more_than_the_bound_is_refused_at_once(database_url: str, own_models: FakeModels) -> None:
    own_models.hanging.add("text")
    own_models.given_up = threading.Event()
    settings = Settings(DATABASE_URL=database_url, max_concurrent_requests=PLACES)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        ThreadPoolExecutor(PLACES) as threads,
    ):
        inside = [threads.submit(post, client) for _ in range(PLACES)]
        wait_for(lambda: len(own_models.calls) == PLACES)
        for _ in range(20):
            refused = post(client)
            assert_problem(refused, 503, "overloaded")
            assert int(refused.headers["retry-after"]) > 0
        assert client.get("/health/live").is_success  # nobody needs a place for that
        assert client.get("/predictions").is_success
        own_models.given_up.set()
        assert [one.result().status_code for one in inside] == [504] * PLACES
        own_models.hanging.clear()
        assert post(client).is_success
        assert len(own_models.calls) == PLACES + 1
        assert in_the_metrics(client) == 20


@pytest.fixture
def full(database_url: str, own_models: FakeModels) -> Iterator[httpx.Client]:
    """An API whose only place is taken."""
    own_models.hanging.add("text")
    own_models.given_up = threading.Event()
    settings = Settings(DATABASE_URL=database_url, max_concurrent_requests=1)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        inside = threads.submit(post, client)
        wait_for(lambda: bool(own_models.calls))
        yield client
        own_models.given_up.set()
        inside.result()


@pytest.mark.parametrize("length", [b"100000", b"10000000"])
def test_a_refusal_does_not_wait_for_the_body(full: httpx.Client, length: bytes) -> None:
    with connected(full) as sender:
        sender.sendall(
            b"POST /analyze/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            + length
            + b"\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        assert sender.recv(100).startswith(b"HTTP/1.1 503")
    assert in_the_metrics(full) == 1


FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n"
HEAD = b"POST /analyze/text HTTP/1.1\r\nHost: localhost\r\n" + FORM


def answers(connection: socket.socket, count: int) -> list[tuple[bytes, set[bytes], bytes]]:
    """Return the first line, the names of the headers, and the body of each."""
    found = []
    with connection.makefile("rb") as file:
        for _ in range(count):
            first, lines = file.readline(), iter(file.readline, b"\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in lines)
            found.append((first, set(headers), file.read(int(headers[b"content-length"]))))
    return found


def test_at_the_door_and_inside_it_is_refused_alike(full: httpx.Client) -> None:
    with connected(full) as sender:
        sender.sendall(HEAD + b"\r\ntext=hm" + HEAD + b"Origin: http://localhost\r\n\r\ntext=hm")
        door, inside = answers(sender, 2)
    assert door == inside
    assert {b"retry-after", b"x-request-id", b"x-content-type-options"} <= door[1]
    assert door[0] == b"HTTP/1.1 503 Service Unavailable\r\n"
    counted = 'neurosense_requests_total{code="503",method="POST",route="/analyze/text"} 2.0'
    assert counted in full.get("/metrics").text
    assert in_the_metrics(full) == 2


def test_who_was_refused_may_ask_again_over_the_same_connection(
    full: httpx.Client, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http_protocol.SMALL_BODY_S", 5.0)  # whatever else the machine does
    with connected(full) as sender:
        for piece in (HEAD, b"X-Request-ID: mine-1\r\n\r\nte", b"xt=hm"):
            sender.sendall(piece)
            time.sleep(0.002)
        [(first, _, body)] = answers(sender, 1)
        assert first.startswith(b"HTTP/1.1 503")
        assert b"overloaded" in body
        assert own_models.given_up is not None
        own_models.given_up.set()
        own_models.hanging.clear()
        wait_for(lambda: post(full).is_success)
        sender.sendall(HEAD + b"\r\ntext=hm")
        [(first, _, body)] = answers(sender, 1)
        assert first.startswith(b"HTTP/1.1 200")
        assert b"top_emotion" in body


def test_one_whose_body_is_slow_is_answered_if_a_place_is_free_by_then(
    full: httpx.Client, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http_protocol.SMALL_BODY_S", 0.5)
    with connected(full) as sender:
        sender.sendall(HEAD + b"\r\nte")
        assert own_models.given_up is not None
        own_models.given_up.set()
        own_models.hanging.clear()
        time.sleep(0.6)
        sender.sendall(b"xt=hm")
        [(first, _, _)] = answers(sender, 1)
    assert first.startswith(b"HTTP/1.1 200")
    assert own_models.calls[-1] == ("text", b"hm")


def test_a_refusal_has_the_clients_id_and_a_line_in_the_log(
    full: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "neurosense.access"):
        refused = full.post(
            "/analyze/text", data={"text": "hm"}, headers={"X-Request-ID": "mine-2"}
        )
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["x-request-id"] == "mine-2"
    assert any(
        vars(one).get("route") == "/analyze/text" and vars(one).get("status") == 503
        for one in caplog.records
    )


def test_slow_uploads_hold_no_place_but_are_bounded_too() -> None:
    admission = Admission(2, Metrics())
    uploads = [admission.inside() for _ in range(8)]
    for upload in uploads:
        upload.__enter__()
    with admission.place(), admission.place(), pytest.raises(OverloadedError), admission.place():
        raise AssertionError
    with pytest.raises(OverloadedError), admission.inside():
        raise AssertionError
    for upload in uploads:
        upload.__exit__(None, None, None)
    with admission.inside(), admission.place():
        pass


def test_a_place_is_given_back_whatever_happens() -> None:
    admission = Admission(1, Metrics())
    for _ in range(3):
        with pytest.raises(ValueError, match="x"), admission.inside(), admission.place():
            raise ValueError("x")
