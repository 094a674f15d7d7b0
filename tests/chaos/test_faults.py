"""Every fault, in its short form, against the real service under load.

The long form is `make chaos`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from benchmarks.chaos import campaign, processes, system, trial
from benchmarks.chaos.faults import FAULTS, Fault
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.result import RECOVERY_LIMIT_S
from benchmarks.chaos.system import System
from benchmarks.chaos.waiting import within
from benchmarks.memory import by_process
from benchmarks.overload import Overload, measure_overload
from tests.chaos.reports import PROPERTY


@dataclass(frozen=True)
class Running:
    """The service, and the loop in which its proxies live."""

    loop: asyncio.Runner
    system: System


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    context = system.running(Path(tmp_path_factory.mktemp("chaos")), lambda _: None)
    with asyncio.Runner() as loop:
        yield Running(loop, loop.run(context.__aenter__()))
        loop.run(context.__aexit__(None, None, None))


_OF_THE_SAME_KIND = (
    "kill-text-classifier",
    "kill-audio-classifier",
    "kill-audio-decoder",
    "kill-postgres-api",
)
"""In `make test` the step that every request needs is killed, and what else dies dies alone."""


def _short_or_slow(fault: Fault) -> object:
    marks = [pytest.mark.slow] if fault.name in _OF_THE_SAME_KIND else []
    return pytest.param(fault, marks=marks, id=fault.name)


@pytest.fixture(autouse=True)
def _half_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it could be more than a busy machine answers, which would not recover then."""
    monkeypatch.setattr(trial, "RATE_PER_S", trial.RATE_PER_S / 2)


@pytest.mark.parametrize("fault", [_short_or_slow(one) for one in FAULTS])
def test_nothing_is_lost_and_it_recovers(
    running: Running, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    if not campaign.possible(running.system, fault):
        pytest.skip(campaign.NO_SMALL_DISK)
    result = running.loop.run(campaign.one(running.system, fault, short=True))
    record_property(PROPERTY, asdict(result))
    assert result.broken_promises() == []


async def _something_is_logged(running: System) -> None:
    """Return once a row of the load is there: one can be missing or differ then."""
    began = datetime.now(UTC)

    async def logged() -> bool:
        async with await running.database._connected() as connection:
            query = "SELECT FROM emotion_logs WHERE created_at > %s LIMIT 1"
            return (await connection.execute(query, [began])).rowcount == 1

    assert await within(60, logged)


async def _forget_everything(running: System, _: float) -> None:
    await _something_is_logged(running)
    await running.database.execute("DELETE FROM emotion_logs")


async def _change_everything(running: System, _: float) -> list[Outcome]:
    await _something_is_logged(running)
    await running.database.execute("UPDATE emotion_logs SET top_emotion = 'BOREDOM'")
    return [Outcome(0.0, 0.0, 200, rows={str(uuid4()): "JOY"})]


@pytest.fixture
def _only_what_is_lost_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who compares waits until nothing is spooled, and then no longer."""
    rows_of = trial._logged

    async def logged(system: System, ids: list[str]) -> tuple[Counter[str], dict[str, str]]:
        assert await within(RECOVERY_LIMIT_S, system.healthy)
        return await rows_of(system, ids)

    monkeypatch.setattr(trial, "_logged", logged)
    monkeypatch.setattr(trial, "_LOG_LIMIT_S", 0.0)


@pytest.mark.usefixtures("_only_what_is_lost_is_missing")
def test_rows_that_are_missing_are_noticed(running: Running) -> None:
    """Else the tests above could not fail."""
    fault = Fault("forget", "rows deleted", _forget_everything)
    result = running.loop.run(campaign.one(running.system, fault, short=True))
    assert 0 < result.lost < result.answered
    assert f"{result.lost} predictions are not in the log" in result.broken_promises()


@pytest.mark.usefixtures("_only_what_is_lost_is_missing")
def test_rows_that_differ_are_noticed_and_what_the_fault_itself_sent_counts(
    running: Running,
) -> None:
    fault = Fault("change", "rows changed", _change_everything)
    result = running.loop.run(campaign.one(running.system, fault, short=True))
    assert 0 < result.wrong < result.answered
    assert f"{result.wrong} rows differ from their answers" in result.broken_promises()
    assert result.lost == 1


@pytest.mark.slow  # in `make test` the fault `flood` stands for it
def test_overload_is_refused_cleanly_and_the_rest_is_answered(running: Running) -> None:
    """In its short form; bounds are loose, since the load takes its share of a busy machine."""

    def memory_mb() -> float:
        return sum(by_process(set(processes.family(running.system.serve.pid))).values())

    async def measured() -> Overload:
        assert await within(RECOVERY_LIMIT_S, running.system.healthy)
        # In a thread: the service is reached over proxies that live in this loop.
        url, say = running.system.api_url, lambda _: None
        return await asyncio.to_thread(
            measure_overload, url, memory_mb, 8.0, say, busy_s=4.0, parts=2
        )

    seen = running.loop.run(measured())
    assert seen.refused > 0
    assert seen.others == {}
    assert seen.goodput_per_s > 0.2 * seen.capacity_per_s
    assert seen.memory_mb[-1] < 1.3 * seen.memory_mb[0]
