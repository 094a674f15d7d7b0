"""How much a run measures: the full one, and a short one for trying."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.peers.environment import PEERS
from benchmarks.points import Device, Point, default_points
from export.manifest import Branch


@dataclass(frozen=True)
class Plan:
    """All that decides how long a run takes; seconds unless a name says otherwise."""

    minutes: Mapping[str, float]
    """About how long each stage takes on two cores."""
    points: Mapping[Branch, tuple[Point, ...]]
    model_budget_s: float
    trial_s: float
    """For each trial of what the machine can do at most."""
    levels: tuple[int, ...]
    """Requests in flight."""
    window_s: float
    """Of perf_analyzer, which has three; texts, of which many go into it, take half."""
    rates: tuple[float, ...]
    """Parts of what the service carries."""
    rounds: int
    """Of what is compared in turn."""
    requests: int
    """In each turn of a comparison with clips: the 16 clips once, or several times.

    At the end of a turn one instance has no clip any more while another has its last one, which
    costs 64 clips of all lengths 0.4 % and 32 of them 1 %.
    """
    api_s: float
    """Of a closed loop on the public API."""
    peers: tuple[str, ...]
    peer_rounds: int
    peer_s: float
    """Of each of a round's two loops."""
    lengths_s: tuple[float, ...]
    clients: tuple[int, ...]
    in_flight: int = 8
    """At which what the targets name is compared."""
    bare_batches: tuple[int, ...] = (1,)
    """Of the bare sessions, whose best one counts."""
    device: Device = "cpu"


FULL = Plan(
    minutes={"models": 4.5, "service": 7, "peers": 7.5, "growth": 2.5},
    points={
        "text": tuple(default_points("text", thorough=False)),
        "audio": tuple(default_points("audio", thorough=False)),
    },
    model_budget_s=3.0,
    trial_s=0.5,
    levels=(1, 8, 64),
    window_s=2.5,
    rates=(0.25, 0.5, 0.75),
    rounds=3,
    requests=64,
    api_s=4.0,
    peers=PEERS,
    peer_rounds=2,
    peer_s=12.0,
    lengths_s=(1, 4, 12, 30),
    clients=(1, 8, 64),
)

QUICK = Plan(
    minutes={"models": 1, "service": 0.8, "peers": 0.8, "growth": 0.6},
    points={"text": (Point("text", 32),), "audio": (Point("audio", 4),)},
    model_budget_s=0.0,
    trial_s=0.1,
    levels=(8,),
    window_s=2.0,
    rates=(0.5,),
    rounds=1,
    requests=16,
    api_s=3.0,
    peers=PEERS[:2],
    peer_rounds=1,
    peer_s=4.0,
    lengths_s=(1, 12),
    clients=(8,),
)


def on_gpu(plan: Plan) -> Plan:
    """Return the plan for a GPU: larger batches, more at a time, and answers in milliseconds."""
    more = replace(
        plan, device="cuda", in_flight=64, requests=512, bare_batches=(1, 8, 32), peers=("classic",)
    )
    if plan is QUICK:
        return more
    points = {branch: tuple(default_points(branch, thorough=True)) for branch in plan.points}
    levels, rates = (1, 8, 32, 128), (0.5,)
    return replace(
        more, points=points, levels=levels, rates=rates, window_s=1.5, model_budget_s=1.0
    )
