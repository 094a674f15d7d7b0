"""Every way of breaking the service that is promised to be survived."""

from dataclasses import dataclass

from benchmarks.chaos import breaks
from benchmarks.chaos.breaks import Break

_STEP = "text_tokenizer"  # in the way of every request of the mix


@dataclass(frozen=True)
class Fault:
    """One way of breaking it; what is held for `hold_s` is mended by the harness."""

    name: str
    what: str
    breaks: Break
    hold_s: float = 0.0
    cuts_clients: bool = False
    """Whether clients may see broken connections: only if the API itself is killed or cut off."""
    needs_small_disk: bool = False


def _kill_step(model: str) -> Fault:
    what = f"kill -9 of the process of {model}"
    return Fault(f"kill-{model.replace('_', '-')}", what, breaks.kill(breaks.step(model)))


_LONG_S, _VERY_LONG_S = 10.0, 30.0
FAULTS = (
    Fault("flood", "200 more requests per second", breaks.flood, _LONG_S),
    Fault("kill-triton", "kill -9 of Triton", breaks.kill(breaks.triton)),
    Fault("kill-api", "kill -9 of the API", breaks.kill(breaks.api), cuts_clients=True),
    Fault("kill-postgres", "kill -9 of PostgreSQL, kept away", breaks.kill_database, _VERY_LONG_S),
    Fault(
        "kill-postgres-api",
        "PostgreSQL killed, then the API while rows are spooled",
        breaks.kill_database_and_api,
        _LONG_S,
        cuts_clients=True,
    ),
    _kill_step("text_tokenizer"),
    Fault(
        "full-disk",
        "PostgreSQL killed, then the spool's disk full",
        breaks.fill_disk,
        _LONG_S,
        needs_small_disk=True,
    ),
    Fault(
        "full-postgres",
        "PostgreSQL's disk full",
        breaks.fill_database_disk,
        _LONG_S,
        needs_small_disk=True,
    ),
    Fault("read-only-postgres", "PostgreSQL refuses writes", breaks.read_only, _LONG_S),
    _kill_step("text_classifier"),
    Fault("locked-postgres", "the log's table locked", breaks.lock, _LONG_S),
    Fault(
        "slow-postgres",
        "PostgreSQL slow: every answer comes 2 s late",
        breaks.slow_database,
        _LONG_S,
    ),
    Fault("pause-postgres", "SIGSTOP of PostgreSQL", breaks.pause_database, _LONG_S),
    _kill_step("audio_decoder"),
    Fault("cut-postgres", "API to PostgreSQL: refused", breaks.cut(lambda s: s.postgres), _LONG_S),
    Fault(
        "silence-postgres",
        "API to PostgreSQL: nothing arrives",
        breaks.silence(lambda s: s.postgres),
        _LONG_S,
    ),
    Fault("pause-api", "SIGSTOP of the API", breaks.pause(breaks.api_family), _LONG_S),
    _kill_step("audio_classifier"),
    Fault(
        "pause-triton",
        "SIGSTOP of Triton and its steps",
        breaks.pause(breaks.triton_family),
        _LONG_S,
    ),
    Fault("cut-triton", "API to Triton: refused", breaks.cut(lambda s: s.triton), _LONG_S),
    Fault(
        "silence-triton",
        "API to Triton: nothing arrives",
        breaks.silence(lambda s: s.triton),
        _LONG_S,
    ),
    Fault(
        "pause-step",
        f"SIGSTOP of the process of {_STEP}",
        breaks.pause(breaks.step(_STEP)),
        _LONG_S,
    ),
    Fault(
        "cut-clients",
        "clients to API: refused",
        breaks.cut(lambda s: s.clients),
        _LONG_S,
        cuts_clients=True,
    ),
    Fault(
        "silence-clients",
        "clients to API: nothing arrives",
        breaks.silence(lambda s: s.clients),
        _LONG_S,
    ),
)
"""In the order in which they are run: between two that Triton does not survive there are others.

Else it would die again and again within seconds, which is another fault.
"""
