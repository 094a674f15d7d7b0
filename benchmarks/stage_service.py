"""Stage 2: the whole service at its best precision, started as users start it."""

from benchmarks import inputs
from benchmarks.bare import BareSessions
from benchmarks.finished import Finished
from benchmarks.plan import Plan
from benchmarks.prepare import BEST, Prepared
from benchmarks.report import gpu_facts
from benchmarks.results import Results, Whole
from benchmarks.server import running_triton
from benchmarks.service_loads import ServiceLoads
from benchmarks.service_ratios import ServiceRatios, requests_of
from benchmarks.stack import Stack, best_stack
from export.progress import Progress


def run(prepared: Prepared, plan: Plan, finished: Finished, threads: int, say: Progress) -> Results:
    """Start the service once and measure everything of it that is not finished."""
    with best_stack(prepared, say) as stack:
        bare = BareSessions(
            prepared.repository(BEST), requests_of(plan), threads, plan.device, plan.bare_batches
        )
        return measure(stack, bare, plan, finished, say)


def measure(
    stack: Stack, bare: BareSessions, plan: Plan, finished: Finished, say: Progress
) -> Results:
    """Measure loads, the API and three ratios; memory comes last, when all was used."""
    loads = ServiceLoads(stack, plan, finished, say)
    ratios = ServiceRatios(stack, plan, finished, say)
    service, api = loads.triton(), loads.api()
    over_triton = ratios.api_over_triton()
    over_sessions = ratios.over_sessions(bare, requests_of(plan))
    mixed = ratios.mixed_over_equal()
    memory = finished.once("service-memory", dict[str, float], stack.memory_mb)
    return Results(
        facts=_facts(stack) | gpu_facts(service),
        service=service,
        api=api,
        ratios=[over_triton, over_sessions, mixed],
        memory_mb=memory,
        whole=Whole(
            service_over_sessions=over_sessions.median(),
            mixed_over_equal_lengths=mixed.median(),
            api_over_triton=over_triton.median(),
            memory_gb=sum(memory.values()) / 1e3,
        ),
    )


def _facts(stack: Stack) -> dict[str, str]:
    with running_triton(stack.triton_grpc, "grpc") as server:
        sent = inputs.described(inputs.read_sentences(), inputs.cut_clips())
        return server.described() | sent
