"""Stage 3: ours beside the usual ways of serving both models (`python -m benchmarks.peers`)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks import floors
from benchmarks.finished import Finished
from benchmarks.peers import compare
from benchmarks.peers.check import TOLERANCE
from benchmarks.peers.compare import Comparison, Server
from benchmarks.peers.compared import Figures
from benchmarks.peers.reference import expected_answers
from benchmarks.peers.runner import Peer, running
from benchmarks.plan import Plan
from benchmarks.prepare import BEST, Prepared
from benchmarks.request_floor import request_floor_s
from benchmarks.results import OURS, Results, Whole
from benchmarks.stack import best_stack
from export.progress import Progress

_TOLERANCE_INT8 = 0.1
"""Of our scores: int8 moves those of random weights further than those of real ones."""
_TOLERANCE_FP16 = 0.02
"""Of a peer on a GPU, which computes in float16 there."""
_WARM_UP_S = {"bentoml": 8.0}
"""Its dispatcher learns from a dozen requests how long batches take."""


def run(prepared: Prepared, plan: Plan, finished: Finished, threads: int, say: Progress) -> Results:
    """Measure all servers, round after round; each round of each is kept."""
    say("asking PyTorch for the right answers ...")
    expected = expected_answers(prepared.peers_weights().checkpoints)
    how = compare.Plan(plan.peer_rounds, plan.peer_s, warm_up_s=3.0, concurrency=plan.in_flight)
    comparison = Comparison(servers(prepared, plan, say), expected, how, say, _keeping(finished))
    peaks = partial(floors.measure, threads, plan.trial_s, plan.device)
    floor_s = request_floor_s(prepared, finished.once("peaks", floors.Peaks, peaks))
    return Results(peers=comparison.run(), whole=Whole(request_floor_s=floor_s))


def servers(prepared: Prepared, plan: Plan, say: Progress) -> dict[str, Server]:
    """Return the peers, `classic` first since it sets the rate, and ours."""
    weights, folder = prepared.peers_weights(), prepared.work / "peers"
    peers = {
        name: Server(
            partial(running, name, weights, folder, say, plan.device),
            TOLERANCE if plan.device == "cpu" else _TOLERANCE_FP16,
            warm_up_s=_WARM_UP_S.get(name, 0.0),
        )
        for name in plan.peers
    }
    exact = all(one.precision == "fp32" for one in prepared.manifests(BEST).values())
    ours = Server(partial(_ours, prepared, say), TOLERANCE if exact else _TOLERANCE_INT8)
    return {**peers, OURS: ours}


@contextmanager
def _ours(prepared: Prepared, say: Progress) -> Iterator[Peer]:
    with best_stack(prepared, say) as stack:
        yield Peer(OURS, stack.api_url, stack.pids)


def _keeping(finished: Finished) -> compare.Once:
    def once(name: str, measure: Callable[[], Figures]) -> Figures:
        return finished.once(f"peer-{name}", Figures, measure)

    return once
