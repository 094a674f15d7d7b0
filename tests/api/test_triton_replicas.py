"""Several Tritons behind one address: each has its turn, and one that is away is passed over."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import grpc  # type: ignore[import-untyped]
import pytest

from api import calls
from api.channel import CHANNEL_OPTIONS, SERVICE_CONFIG
from api.errors import ModelTimeoutError, UnavailableError
from api.triton import Triton
from benchmarks.chaos.proxy import Proxy
from tests.api.triton_double import TEXT, Servicer, start

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "going away")


@asynccontextmanager
async def replicas(*servicers: Servicer) -> AsyncIterator[tuple[Triton, list[Proxy]]]:
    """A client that is connected with all of them, and the lines between."""
    started = [await start(one) for one in servicers]
    lines = [Proxy(partial(asyncio.open_connection, "127.0.0.1", port)) for _, port in started]
    for line in lines:
        await line.open()
    triton = Triton("ipv4:" + ",".join(f"127.0.0.1:{line.port}" for line in lines))
    try:
        async with asyncio.timeout(20):
            while not all(one.configs_asked for one in servicers):  # they are asked in turn
                await triton.loaded(10)
        yield triton, lines
    finally:
        await triton.close()
        for line in lines:
            line.cut()
        for server, _ in started:
            await server.stop(None)


async def ask(triton: Triton, times: int, *, in_turn: bool = False) -> int:
    """Return how many of so many requests were answered."""
    together = 1 if in_turn else times
    return sum([await _ask(triton, together) for _ in range(times // together)])


async def _ask(triton: Triton, times: int) -> int:
    asked = [triton.text(b"I love this!", 10) for _ in range(times)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for failure in (one for one in answers if isinstance(one, BaseException)):
        assert isinstance(failure, UnavailableError)
    return sum(not isinstance(one, BaseException) for one in answers)


def test_replicas_share_the_calls_and_one_that_is_cut_off_costs_none() -> None:
    one, two = Servicer(), Servicer()

    async def run() -> tuple[int, int]:
        async with replicas(one, two) as (triton, lines):
            assert await ask(triton, 40, in_turn=True) == 40
            shares = len(one.requests), len(two.requests)
            lines[0].cut()
            assert await ask(triton, 20, in_turn=True) == 20
        return shares

    share, other = asyncio.run(run())
    assert 10 <= share <= 30
    assert len(one.requests) == share
    assert len(two.requests) == other + 20


@pytest.mark.parametrize("in_flight", [1, 4, 16])
def test_a_version_that_one_replica_has_already_is_named_right(in_flight: int) -> None:
    """Who answers next is mostly not who answered: it does not know that version yet."""
    one, two = Servicer(), Servicer()

    async def run() -> set[str]:
        async with replicas(one, two) as (triton, _):
            await ask(triton, 8, in_turn=True)
            one.version = "2"
            one.parameters["text"] = json.dumps(TEXT | {"version": "4"})
            named: list[str] = []
            for _ in range(32 // in_flight):
                asked = [triton.text(b"x", 10) for _ in range(in_flight)]
                named += [answer.model.version for answer in await asyncio.gather(*asked)]
            return set(named)

    assert asyncio.run(run()) == {"3", "4"}


@pytest.mark.parametrize("size", [10, 2**24], ids=["short", "16 MiB"])
def test_a_request_of_any_size_goes_to_another_replica(size: int) -> None:
    one, two = Servicer(), Servicer()
    one.fault = UNAVAILABLE

    async def run() -> None:
        async with replicas(one, two) as (triton, _):
            for _ in range(6):
                await triton.audio(b"R" * size, 10)

    asyncio.run(run())
    assert len(one.requests) >= 2, "it was asked as well"
    assert len(two.requests) == 6


def test_retries_have_a_budget_which_answers_fill_again() -> None:
    one = Servicer()
    one.fault = UNAVAILABLE

    async def run() -> list[int]:
        counts = []
        async with replicas(one) as (triton, _):
            for _ in range(2):
                assert await ask(triton, 200) == 0
                counts.append(len(one.requests))
        return counts

    first, second = asyncio.run(run())
    assert 200 + 300 <= first <= 200 + 500, "half of the thousand tokens"
    assert second == first + 200, "none is left"


def test_all_attempts_share_the_deadline() -> None:
    one = Servicer()
    one.fault, one.hang_s = UNAVAILABLE, 0.4

    async def run() -> float:
        async with replicas(one) as (triton, _):
            began_s = asyncio.get_running_loop().time()
            with pytest.raises(ModelTimeoutError):
                await triton.text(b"x", 0.6)
            return asyncio.get_running_loop().time() - began_s

    assert asyncio.run(run()) > 0.5
    assert len(one.requests) <= 2, "each with the time of all would be four"


def use(monkeypatch: pytest.MonkeyPatch, times: dict[str, int | str]) -> None:
    before = dict(CHANNEL_OPTIONS)
    assert all(before[name] != value for name, value in times.items())
    monkeypatch.setattr(calls, "CHANNEL_OPTIONS", list((before | times).items()))


@pytest.fixture
def sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that fails is left alone after a second."""
    every_second = SERVICE_CONFIG.replace('"interval": "5s"', '"interval": "1s"')
    use(monkeypatch, {"grpc.service_config": every_second})


@pytest.mark.usefixtures("sooner")
def test_a_replica_that_fails_all_it_gets_is_left_alone_for_a_while() -> None:
    """As one whose GPU is lost does: it fails at once, and is the first to be free again."""
    one, two = Servicer(), Servicer()

    async def run() -> None:
        async with replicas(one, two) as (triton, _):
            await ask(triton, 20, in_turn=True)  # both are connected
            one.fault = (grpc.StatusCode.INTERNAL, "CUDA error")
            assert await ask(triton, 60) == 30
            async with asyncio.timeout(20):
                while await ask(triton, 60) < 60:
                    await asyncio.sleep(0.2)

    asyncio.run(run())


@pytest.mark.usefixtures("sooner")
def test_replicas_that_all_fail_go_on_being_asked() -> None:
    """What all fail at may be the fault of what they are asked: at most half are left alone."""
    servicers = Servicer(), Servicer()

    async def run() -> None:
        async with replicas(*servicers) as (triton, _):
            for one in servicers:
                one.fault = (grpc.StatusCode.INTERNAL, "step failed")
            for _ in range(10):
                assert await ask(triton, 60) == 0
                await asyncio.sleep(0.25)
            before = sum(len(one.requests) for one in servicers)
            assert await ask(triton, 40) == 0
            assert sum(len(one.requests) for one in servicers) == before + 40

    asyncio.run(run())


def test_a_machine_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing says that its connection has ended; its requests go to another one."""
    # The other one, on a busy machine, must not take so long for a sign of life.
    use(monkeypatch, {"grpc.keepalive_time_ms": 300, "grpc.http2.ping_timeout_ms": 3000})
    one, two = Servicer(), Servicer()

    async def run() -> None:
        async with replicas(one, two) as (triton, lines):
            await ask(triton, 20, in_turn=True)
            lines[0].silence()
            assert await ask(triton, 8) == 8

    asyncio.run(run())
    assert len(one.requests) + len(two.requests) == 28
