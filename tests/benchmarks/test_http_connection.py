"""The load generator's connections, against a server that says exactly what a test wants."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from benchmarks.http_connection import Connections, NoAnswerError
from benchmarks.http_requests import Request

ASKED = Request("/analyze/text", b"text=hm", "application/x-www-form-urlencoded", 0.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\n{}"


@dataclass
class Double:
    """Answers each request with the next of `answers`; "" for none and the end."""

    answers: list[bytes]
    pause_s: float = 0.0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            self.received.append(head + await reader.readexactly(len(ASKED.body)))
            answer = self.answers.pop(0)
            await asyncio.sleep(self.pause_s)
            writer.write(answer)
            if not answer.endswith(OK[-2:]):
                break
        writer.close()


def run(double: Double, ask: Callable[[Connections], Awaitable[None]]) -> None:
    async def with_server() -> None:
        server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
        async with server:
            connections = Connections(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await ask(connections)
            connections.close()

    asyncio.run(with_server())


def test_a_connection_is_used_again() -> None:
    double = Double([OK, OK])

    async def ask(connections: Connections) -> None:
        for _ in range(2):
            answer = await connections.post(ASKED)
            assert (answer.status, answer.body) == (200, b"{}")
            assert answer.headers["retry-after"] == "3"

    run(double, ask)
    assert double.connections == 1
    assert all(one.endswith(b"Content-Length: 7\r\n\r\ntext=hm") for one in double.received)
    assert all(
        one.startswith(b"POST /analyze/text HTTP/1.1\r\nHost: 127.") for one in double.received
    )


def test_requests_at_a_time_have_a_connection_each() -> None:
    double = Double([OK, OK], pause_s=0.05)

    async def ask(connections: Connections) -> None:
        await asyncio.gather(connections.post(ASKED), connections.post(ASKED))

    run(double, ask)
    assert double.connections == 2


def test_one_that_the_server_ends_is_not_used_again() -> None:
    closing = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    double = Double([closing, OK])

    async def ask(connections: Connections) -> None:
        assert [(await connections.post(ASKED)).status for _ in range(2)] == [503, 200]

    run(double, ask)
    assert double.connections == 2


def test_a_body_may_come_in_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

    async def ask(connections: Connections) -> None:
        assert (await connections.post(ASKED)).body == b"{}"

    run(Double([chunked]), ask)


@pytest.mark.parametrize("answer", [b"", OK[:-1], b"what?\r\n\r\n"])
def test_what_is_no_whole_answer_is_none(answer: bytes) -> None:
    async def ask(connections: Connections) -> None:
        with pytest.raises(NoAnswerError):
            await connections.post(ASKED)
        assert (await connections.post(ASKED)).status == 200

    run(Double([answer, OK]), ask)


def test_an_answer_that_nobody_waits_for_is_not_the_next_ones() -> None:
    late = b"HTTP/1.1 500 Late\r\nContent-Length: 2\r\n\r\n{}"

    async def ask(connections: Connections) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connections.post(ASKED)
        await asyncio.sleep(0.1)
        assert (await connections.post(ASKED)).status == 200

    run(Double([late, OK], pause_s=0.1), ask)
