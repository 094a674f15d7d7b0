"""What Prometheus scrapes: counts and durations, by route and code, nothing of what was sent."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from api.schemas import Answer

# Else a `…_created` stands beside every counter and histogram.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.35, 0.5, 1, 2, 3.5, 5, 10, 20, 30)
_TRIED = {"canary": ("answered", "failed"), "shadow": ("answered", "failed", "dropped")}
_WRITE_SECONDS = (
    0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
)  # fmt: skip
_READY_TIMEOUT_S = 0.7
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """One application's metrics, in a registry of their own."""

    def __init__(self) -> None:
        new = self.registry = CollectorRegistry()
        ProcessCollector(registry=new)  # process_resident_memory_bytes, process_open_fds …
        name = "neurosense"
        labels = ("route", "method", "code")
        self._requests = Counter(f"{name}_requests", "Answers", labels, registry=new)
        help_text = "From the request's first byte to its answer"
        self._duration = Histogram(
            f"{name}_request_duration_seconds",
            help_text,
            ("route",),
            buckets=_SECONDS,
            registry=new,
        )
        self.in_progress = Gauge(
            f"{name}_requests_in_progress", "Requests that wait for their answer", registry=new
        )
        labels = ("modality", "top_emotion", "degraded")
        self._predictions = Counter(f"{name}_predictions", "Predictions", labels, registry=new)
        help_text = "What a request waits for Triton, second attempts included"
        self._model = Histogram(
            f"{name}_model_seconds", help_text, ("endpoint",), buckets=_SECONDS, registry=new
        )
        self._refused = Counter(
            f"{name}_refused", "Requests turned away", ("reason",), registry=new
        )
        self.models_ready = Gauge(
            f"{name}_models_ready", "1 if every model is ready, asked at each scrape", registry=new
        )
        self._init_log(name, new)
        self.streams = Gauge(f"{name}_streams", "Live streams that are open", registry=new)
        self._streamed = Counter(
            f"{name}_stream_results", "Of streams", ("kind", "outcome"), registry=new
        )

        help_text = (
            "Requests of a version on trial: `failed` canaries were answered by the served one"
        )
        self._trials = Counter(
            f"{name}_trial_results", help_text, ("track", "outcome"), registry=new
        )
        # From 0: a rate does not see a counter's first value.
        for track, outcomes in _TRIED.items():
            for outcome in outcomes:
                self._trials.labels(track, outcome)

    def _init_log(self, name: str, new: CollectorRegistry) -> None:
        help_text = "One write of a batch of log rows"
        self._log_write = Histogram(
            f"{name}_log_write_seconds", help_text, buckets=_WRITE_SECONDS, registry=new
        )
        self._log_rows = Histogram(
            f"{name}_log_batch_rows", "Rows of a batch", buckets=_ROWS, registry=new
        )
        self._spool_bytes = Gauge(f"{name}_log_spool_bytes", "Size of the spool", registry=new)
        help_text = "Size of what the database will never take"
        self._rejected_bytes = Gauge(f"{name}_log_rejected_bytes", help_text, registry=new)
        self._degraded = Gauge(
            f"{name}_log_degraded", "1 while rows go to the spool instead of Postgres", registry=new
        )

    def answered(self, route: str, method: str, code: int, duration_s: float) -> None:
        """Count an answer; `route` is a template, never the path that was asked for."""
        self._requests.labels(route, method, code).inc()
        self._duration.labels(route).observe(duration_s)

    def predicted(self, answer: Answer) -> None:
        """Count a prediction."""
        failed = answer.degraded.modality if answer.degraded else "no"
        self._predictions.labels(answer.modality, answer.top_emotion, failed).inc()

    def model_time(self, endpoint: str) -> AbstractContextManager[object]:
        """Return a block whose time is what a request to `endpoint` waits for Triton."""
        return self._model.labels(endpoint).time()

    def refused(self, reason: str) -> None:
        """Count a request turned away; `reason` is one of a few fixed codes (`overloaded` …)."""
        self._refused.labels(reason).inc()

    def streamed(self, kind: str, outcome: str) -> None:
        """Count a stream's `window` or `segment` that was `answered`, `failed` or `dropped`."""
        self._streamed.labels(kind, outcome).inc()

    def tried(self, track: str, outcome: str) -> None:
        """Count what a `canary` or `shadow` `answered` or `failed`; a `shadow`'s `dropped` too."""
        self._trials.labels(track, outcome).inc()

    def log_written(self, rows: int, seconds: float) -> None:
        """Count a batch of log rows that is durable now."""
        self._log_rows.observe(rows)
        self._log_write.observe(seconds)

    def spool(self, size_bytes: Callable[[], float], rejected_bytes: Callable[[], float]) -> None:
        """Ask these for the size of the spool, and of what it rejected, at each scrape."""
        self._spool_bytes.set_function(size_bytes)
        self._rejected_bytes.set_function(rejected_bytes)

    def log_degraded(self, *, degraded: bool) -> None:
        """Note whether rows go to the spool instead of Postgres."""
        self._degraded.set(degraded)


router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Answer Prometheus."""
    seen = request.app.state.metrics
    missing = await request.app.state.service.models.missing(_READY_TIMEOUT_S)
    seen.models_ready.set(not missing)
    return Response(generate_latest(seen.registry), media_type=CONTENT_TYPE_LATEST)
