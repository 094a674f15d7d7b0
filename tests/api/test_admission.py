"""What is over the bound is refused at once, and everybody inside is answered."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.admission import Admission, OverloadedError
from api.app import create_app
from api.metrics import Metrics
from api.settings import Settings
from tests.api.asking import assert_problem
from tests.api.fakes import FakeModels
from tests.api.servers import serve
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


def test_a_refusal_does_not_wait_for_the_body(database_url: str, own_models: FakeModels) -> None:
    own_models.hanging.add("text")
    own_models.given_up = threading.Event()
    settings = Settings(DATABASE_URL=database_url, max_concurrent_requests=1)
    with (
        serve(create_app(settings, lambda _: own_models)) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        inside = threads.submit(post, client)
        wait_for(lambda: bool(own_models.calls))
        address = (client.base_url.host, client.base_url.port or 80)
        with socket.create_connection(address, timeout=10) as sender:
            sender.sendall(
                b"POST /analyze/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            )
            assert sender.recv(100).startswith(b"HTTP/1.1 503")
        own_models.given_up.set()
        inside.result()


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
