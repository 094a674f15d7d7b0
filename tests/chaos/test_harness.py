"""The harness itself: what it counts as a broken promise, and the line that it can cut."""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from benchmarks.chaos import campaign
from benchmarks.chaos.errors import ChaosError
from benchmarks.chaos.load import Load
from benchmarks.chaos.mix import every_kind
from benchmarks.chaos.outcome import Outcome, outcome_of
from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.result import Result
from benchmarks.chaos.table import table, write
from benchmarks.http_requests import Request

GOOD = Result(
    fault="a",
    what="A fault",
    sent=10,
    answered=8,
    degraded=1,
    refused={"503 model_unavailable": 1, "503 log_unavailable": 1},
    unclean=0,
    broken=0,
    late=0,
    lost=0,
    duplicated=0,
    wrong=0,
    gap_s=1.0,
    worst_wait_s=2.0,
    recovered_s=0.5,
    may_break=False,
)


def test_a_kept_promise_is_no_complaint() -> None:
    assert GOOD.broken_promises() == []


@pytest.mark.parametrize("name", ["lost", "duplicated", "wrong", "unclean", "late", "broken"])
def test_one_of_each_is_a_broken_promise(name: str) -> None:
    one: dict[str, Any] = {name: 1}
    [said] = dataclasses.replace(GOOD, **one).broken_promises()
    assert said.startswith("1 ")


def test_no_recovery_and_no_answer_are_broken_promises() -> None:
    assert len(dataclasses.replace(GOOD, recovered_s=None).broken_promises()) == 1
    assert len(dataclasses.replace(GOOD, answered=0).broken_promises()) == 1


def test_connections_may_break_where_the_api_is_killed() -> None:
    assert dataclasses.replace(GOOD, broken=3, may_break=True).broken_promises() == []


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_shows_what_was_not_kept_and_the_file_holds_it(tmp_path: Path) -> None:
    result = dataclasses.replace(GOOD, lost=2)
    head, _, row, *_ = table([result]).splitlines()
    shown = dict(zip(cells(head), cells(row), strict=True))
    assert (shown["no answer for"], shown["worst wait"]) == ("1.0 s", "2.0 s")
    assert (shown["refused"], shown["lost"]) == ("2 × 503", "2")
    assert "- a: 2 predictions are not in the log" in table([result])
    write([result], tmp_path)
    [kept] = json.loads((tmp_path / "chaos.json").read_text())
    assert (kept["lost"], kept["broken_promises"]) == (2, ["2 predictions are not in the log"])


def test_an_unknown_fault_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ChaosError, match=r"kill-everything: choose from .*kill-api, "):
        campaign.chosen(["kill-everything"])


def ask(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], limit_s: float = 60.0
) -> Outcome:
    """Return what the load notes of one request that a server answers so."""

    async def run() -> Outcome:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        asked = [Request("/", b"", "text/plain", 0)]
        load = Load(f"http://127.0.0.1:{port}", asked, 100, limit_s)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(0)
        load.stop()
        [outcome] = await running
        await runner.cleanup()
        return outcome

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "body", "headers", "clean"),
    [
        (503, {"detail": "x", "code": "y"}, {"Retry-After": "2"}, True),
        (503, {"detail": "x", "code": "y"}, {}, False),
        (504, {"detail": "x", "code": "y"}, {"Retry-After": "2"}, True),
        (504, {"detail": "x", "code": "y"}, {}, False),
        (429, {"detail": "x", "code": "y"}, {"Retry-After": "soon"}, False),
        (429, ["x"], {"Retry-After": "1"}, False),
        (500, {"detail": "x", "code": "internal"}, {"Retry-After": "1"}, False),
        (422, {"detail": "x", "code": "y"}, {"Retry-After": "1"}, False),
        (200, {"detail": "x"}, {}, False),
    ],
)
def test_a_refusal_is_clean_or_not(
    status: int, body: Any, headers: dict[str, str], clean: bool
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    outcome = ask(answer)
    assert (outcome.status, outcome.clean, outcome.answered) == (status, clean, False)


def answered(content: Any) -> Outcome:
    return outcome_of(0.0, 1.0, 200, {}, json.dumps(content).encode())


def test_every_part_of_an_answer_must_be_in_the_log() -> None:
    one = {"id": "1", "top_emotion": "JOY", "degraded": None}
    other = {"id": "2", "top_emotion": "FEAR", "degraded": {"modality": "text"}}
    whole = {"id": "0", "overall": {"top_emotion": "JOY"}}
    found = answered(whole | {"segments": [{"result": one, "error": None}]})
    assert (found.rows, found.degraded) == ({"0": "JOY", "1": "JOY"}, False)
    assert answered({"results": [one, other]}).rows == {"1": "JOY", "2": "FEAR"}
    assert answered({"results": [one, other]}).degraded


def test_a_batch_is_answered_in_part_and_its_errors_are_clean_or_not() -> None:
    one = {"id": "1", "top_emotion": "JOY", "degraded": None}
    busy, broken = ({"detail": "x", "code": code} for code in ("overloaded", "internal"))
    found = answered({"results": [one, busy]})
    assert (found.answered, found.degraded, found.clean) == (True, True, True)
    found = answered({"results": [busy, busy]})
    assert (found.answered, found.what, found.clean) == (False, "overloaded", True)
    assert not answered({"results": [one, broken]}).clean


def test_the_load_has_every_kind_of_request() -> None:
    kinds = {request.path.removeprefix("/analyze/") for request in every_kind()}
    assert kinds == {"text", "multimodal", "batch", "timeline"}


def test_an_answer_that_takes_too_long_is_late() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response()

    assert ask(answer, limit_s=0.2).what == "late"


def test_a_line_is_cut_silenced_and_restored() -> None:
    async def run() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(line)
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = Proxy(lambda: asyncio.open_connection("127.0.0.1", port))
        await proxy.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"

        proxy.silence()
        writer.write(b"two\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 0.3)
        proxy.speak()
        assert await reader.readline() == b"two\n"

        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await reader.readline()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"three\n")
        assert await reader.readline() == b"three\n"
        proxy.cut()
        server.close()

    asyncio.run(run())
