"""The load generator against a real server whose times and errors are known."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, File, Form, UploadFile

from benchmarks.http_load import LoadError, closed_loop, open_loop
from benchmarks.http_requests import Modality, Request, realistic_requests
from benchmarks.inputs import cut_clips, read_sentences

REQUESTS = [Request("/analyze/text", f"{n}".encode(), "text/plain", n / 2) for n in range(1, 4)]


@dataclass
class Double:
    """A server that takes `delay_s` for each request, and `lanes` of them at a time."""

    delay_s: float = 0.0
    lanes: int = 100
    answer: Callable[[int], int] = lambda _number: 200
    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    def handle(self, body: bytes, free: threading.Semaphore, lock: threading.Lock) -> int:
        with lock:
            self.bodies.append(body)
            number = len(self.bodies)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        with free:
            time.sleep(self.delay_s)
        with lock:
            self.in_flight -= 1
        return self.answer(number)


@pytest.fixture
def serve() -> Iterator[Callable[[Double], Double]]:
    servers = []

    def start(double: Double) -> Double:
        free, lock = threading.Semaphore(double.lanes), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(double.handle(body, free, lock))
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        double.url = f"http://127.0.0.1:{server.server_port}"
        return double

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_closed_loop_keeps_so_many_in_flight(serve: Callable[[Double], Double]) -> None:
    double = serve(Double(delay_s=0.1))
    result = closed_loop(double.url, REQUESTS, concurrency=4, seconds=1.0, warm_up_s=0.2)
    assert double.most_in_flight == 4
    assert 0 < result.per_second <= 40  # 40 were there no overhead
    assert result.requests == result.per_second * 1.0
    assert result.requests < len(double.bodies), "the warm-up was counted"
    assert 100 <= result.p50_ms <= result.p95_ms <= result.p99_ms
    assert result.audio_seconds_per_second == pytest.approx(result.per_second, rel=0.15)
    assert result.errors == 0


def test_requests_go_out_in_the_same_order_over_and_over(
    serve: Callable[[Double], Double],
) -> None:
    double = serve(Double(delay_s=0.02))
    closed_loop(double.url, REQUESTS, concurrency=1, seconds=1.0, warm_up_s=0.0)
    expected = [REQUESTS[n % 3].body for n in range(len(double.bodies))]
    assert double.bodies == expected


def test_errors_are_counted_apart(serve: Callable[[Double], Double]) -> None:
    double = serve(Double(delay_s=0.02, answer=lambda number: 503 if number % 2 else 200))
    result = closed_loop(double.url, REQUESTS, concurrency=1, seconds=1.0, warm_up_s=0.0)
    assert result.errors > 0
    assert abs(result.errors - result.requests) <= 1
    assert result.per_second == pytest.approx(result.requests / 1.0)


def test_an_open_loop_sends_at_its_rate_and_its_latency_includes_queueing(
    serve: Callable[[Double], Double],
) -> None:
    double = serve(Double(delay_s=0.1, lanes=1))  # carries 10 a second
    overload = open_loop(
        double.url, REQUESTS, rate_per_s=20, seconds=1.0, arrivals="even", warm_up_s=0.0
    )
    assert overload.requests == 20  # all that were due, also those answered after the window
    assert overload.per_second <= 10
    assert overload.p99_ms > 900  # the last one waits behind ten that should be done already
    assert overload.p50_ms > 400


def test_an_open_loop_below_capacity_shows_the_servers_own_time(
    serve: Callable[[Double], Double],
) -> None:
    double = serve(Double(delay_s=0.02))
    result = open_loop(double.url, REQUESTS, rate_per_s=20, seconds=0.5, warm_up_s=0.2)
    assert (result.requests, result.errors) == (10, 0)
    assert len(double.bodies) == 14
    assert result.p50_ms >= 20  # how much more is the machine's affair


@pytest.mark.parametrize(("status", "said"), [(500, "status 500"), (200, "longer window")])
def test_without_any_answer_there_is_no_result(
    serve: Callable[[Double], Double], status: int, said: str
) -> None:
    delay_s, seconds = (0.3, 0.1) if status == 200 else (0.02, 1.0)
    double = serve(Double(delay_s=delay_s, answer=lambda _: status))
    with pytest.raises(LoadError, match=said):
        closed_loop(double.url, REQUESTS, concurrency=1, seconds=seconds, warm_up_s=0.0)


def test_a_server_that_is_away_is_an_error() -> None:
    with pytest.raises(LoadError, match="ConnectionRefusedError"):
        open_loop("http://127.0.0.1:9", REQUESTS, rate_per_s=10, seconds=0.2, warm_up_s=0.0)


def test_requests_are_what_a_form_takes() -> None:
    app = FastAPI()

    @app.post("/analyze/{modality}")
    def analyze(
        text: Annotated[str | None, Form()] = None,
        audio: Annotated[UploadFile | None, File()] = None,
    ) -> tuple[str | None, int | None]:
        return text, len(audio.file.read()) if audio else None

    async def parsed(modality: Modality) -> list[tuple[str | None, int | None]]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://form") as client:
            return [await answer(client, one) for one in realistic_requests(modality)]

    async def answer(client: httpx.AsyncClient, one: Request) -> tuple[str | None, int | None]:
        headers = {"content-type": one.content_type}
        text, size = (await client.post(one.path, content=one.body, headers=headers)).json()
        return text, size

    sentences, sizes = read_sentences(), [len(clip.encoded) for clip in cut_clips()]
    assert asyncio.run(parsed("text")) == [(sentence, None) for sentence in sentences]
    assert asyncio.run(parsed("audio")) == [(None, size) for size in sizes]
    both = asyncio.run(parsed("multimodal"))
    assert [text for text, _ in both] == sentences
    assert [size for _, size in both] == [sizes[n % len(sizes)] for n in range(len(both))]
