"""One fault after another, each on a service that is whole again."""

from collections.abc import Sequence

from benchmarks.chaos import trial
from benchmarks.chaos.errors import ChaosError
from benchmarks.chaos.faults import FAULTS, Fault
from benchmarks.chaos.result import RECOVERY_LIMIT_S, Result
from benchmarks.chaos.system import System
from benchmarks.chaos.waiting import within
from export.progress import Progress

SHORT_HOLD_S = 2.0
NO_SMALL_DISK = (
    "left out: a small disk needs root, or a system that lets users mount a tmpfs in a namespace "
    "of their own (unshare --user --mount)"
)


def chosen(names: Sequence[str]) -> list[Fault]:
    """Return the faults of these names, all without any.

    Raises:
        ChaosError: there is none of that name.
    """
    if unknown := set(names) - {fault.name for fault in FAULTS}:
        known = ", ".join(fault.name for fault in FAULTS)
        raise ChaosError(f"{', '.join(sorted(unknown))}: choose from {known}")
    return [fault for fault in FAULTS if not names or fault.name in names]


async def one(system: System, fault: Fault, *, short: bool) -> Result:
    """Run one fault, held for SHORT_HOLD_S at most if `short`, on a service that is whole.

    Raises:
        ChaosError: the service is not whole, even after waiting.
    """
    if not await within(RECOVERY_LIMIT_S, system.healthy):
        raise ChaosError(f"the service was not whole before {fault.name}")
    return await trial.run(
        system, fault, min(fault.hold_s, SHORT_HOLD_S) if short else fault.hold_s
    )


def possible(system: System, fault: Fault) -> bool:
    """Whether this machine has the disks that a fault fills."""
    return not fault.needs_small_disk or system.has_small_disks


async def every(
    system: System, faults: Sequence[Fault], say: Progress, *, short: bool
) -> list[Result]:
    """Run faults in order; what is found is said as it is found."""
    results = []
    for number, fault in enumerate(faults, 1):
        if not possible(system, fault):
            say(f"[{number}/{len(faults)}] {fault.name}: {NO_SMALL_DISK}")
            continue
        say(f"[{number}/{len(faults)}] {fault.name}: {fault.what} ...")
        result = await one(system, fault, short=short)
        results.append(result)
        say(f"    {'; '.join(result.broken_promises()) or 'all promises kept'}")
    return results
