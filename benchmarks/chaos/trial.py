"""One fault under load: what clients saw, and whether the log agrees with it."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.chaos.faults import Fault
from benchmarks.chaos.load import Load
from benchmarks.chaos.mix import every_kind
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.result import RECOVERY_LIMIT_S, Result
from benchmarks.chaos.system import CLIENT_LIMIT_S, System
from benchmarks.chaos.waiting import within

RATE_PER_S = 8.0
_BEFORE_S = 0.5
_AFTER_S = 0.5
_LOG_LIMIT_S = 30.0


async def run(system: System, fault: Fault, hold_s: float) -> Result:
    """Send load, break, wait until it is healthy by itself, and compare with the log.

    Args:
        system: a healthy service; it is healthy afterwards, or the result says that it is not.
        fault: what to do to it.
        hold_s: how long what the harness mends again stays broken.
    """
    load = Load(system.url, every_kind(), RATE_PER_S, CLIENT_LIMIT_S)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(_BEFORE_S)
    broken_at = time.monotonic()
    others = await fault.breaks(system, hold_s) or []
    mended_at = time.monotonic()
    # What was broken shows at once: healthy is what stays so.
    await asyncio.sleep(_AFTER_S)
    healthy = await within(RECOVERY_LIMIT_S, system.healthy)
    await asyncio.sleep(_AFTER_S)
    load.stop()
    outcomes = [*others, *await running]
    answered = {identity: emotion for one in outcomes for identity, emotion in one.rows.items()}
    rows, emotions = await _logged(system, list(answered))
    return Result(
        fault=fault.name,
        what=fault.what,
        **_seen(outcomes),
        lost=sum(rows[each] == 0 for each in answered),
        duplicated=sum(rows[each] > 1 for each in answered),
        wrong=sum(emotions.get(each, right) != right for each, right in answered.items()),
        gap_s=_gap_s(outcomes, broken_at),
        recovered_s=_recovered_s(outcomes, mended_at) if healthy else None,
        may_break=fault.cuts_clients,
    )


def _seen(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    refused = [one for one in outcomes if one.status is not None and not one.answered]
    without = [one for one in outcomes if one.status is None]
    return {
        "sent": len(outcomes),
        "answered": sum(one.answered for one in outcomes),
        "degraded": sum(one.degraded and one.answered for one in outcomes),
        "refused": dict(Counter(f"{one.status} {one.what}" for one in refused)),
        "unclean": sum(not one.clean for one in outcomes),
        "broken": sum(one.what != "late" for one in without),
        "late": sum(one.what == "late" for one in without),
        "worst_wait_s": max(one.done - one.sent for one in outcomes),
    }


def _gap_s(outcomes: Sequence[Outcome], broken_at: float) -> float:
    """Return the longest time between two answers, the first from when it was broken."""
    ends = sorted(one.done for one in outcomes if one.answered and one.done > broken_at)
    if not ends:
        return max(one.done for one in outcomes) - broken_at
    return max(later - sooner for sooner, later in zip([broken_at, *ends], ends, strict=False))


def _recovered_s(outcomes: Sequence[Outcome], mended_at: float) -> float:
    """Return how long after the end of the fault the last unlucky request was sent."""
    return max([0.0, *(one.sent - mended_at for one in outcomes if not one.answered)])


async def _logged(system: System, ids: list[str]) -> tuple[Counter[str], dict[str, str]]:
    """Return the rows of these answers, waiting a while for those that are still spooled."""

    async def all_there() -> bool:
        return len((await system.database.rows(ids))[0]) == len(ids)

    await within(_LOG_LIMIT_S, all_there)
    return await system.database.rows(ids)
