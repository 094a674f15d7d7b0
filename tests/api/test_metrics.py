"""What Prometheus gets to see, read with Prometheus's own parser."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.metrics import Metrics
from api.observed import Observed
from api.settings import Settings
from tests.api.asking import WAV
from tests.api.fakes import FakeModels, down
from tests.api.servers import serve

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def own(database_url: str, own_models: FakeModels) -> Iterator[httpx.Client]:
    """An app that has counted nothing yet."""
    with serve(create_app(Settings(DATABASE_URL=database_url), lambda _: own_models)) as client:
        yield client


def value(client: httpx.Client, name: str, **labels: str) -> float:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return read(answer.text).get((f"neurosense_{name}", tuple(sorted(labels.items()))), 0)


def test_requests_by_route_and_code(own: httpx.Client) -> None:
    for text in ("a", "b", ""):
        own.post("/analyze/text", data={"text": text})
    route = {"route": "/analyze/text", "method": "POST"}
    assert value(own, "requests_total", **route, code="200") == 2
    assert value(own, "requests_total", **route, code="422") == 1
    assert value(own, "request_duration_seconds_count", route="/analyze/text") == 3
    assert 0 < value(own, "request_duration_seconds_sum", route="/analyze/text") < 30
    assert value(own, "model_seconds_count", endpoint="text") == 3
    assert value(own, "requests_in_progress") == 1  # the scrape itself


def test_whether_the_models_are_ready(own: httpx.Client, own_models: FakeModels) -> None:
    assert value(own, "models_ready") == 1
    own_models.faults["text"] = down()
    assert value(own, "models_ready") == 0


def test_what_clients_make_up_is_no_label(own: httpx.Client) -> None:
    for number in range(5):
        own.get(f"/made/up/{number}")
    for method in ("PROPFIND", "LINK"):
        own.request(method, "/health")
    text = own.get("/metrics").text
    assert "made" not in text
    assert "PROPFIND" not in text
    labels = {"route": "unmatched", "method": "GET", "code": "404"}
    assert value(own, "requests_total", **labels) == 5
    assert value(own, "requests_total", route="/health", method="OTHER", code="405") == 2


def test_predictions_by_what_was_found(own: httpx.Client, own_models: FakeModels) -> None:
    own.post("/analyze/text", data={"text": "a"})
    own.post("/analyze/multimodal", data={"text": "a"}, files=WAV)
    own_models.faults = {"audio": down(), "fusion": down()}
    own.post("/analyze/multimodal", data={"text": "a"}, files=WAV)
    for modality, degraded in (("text", "no"), ("multimodal_fused", "no"), ("text_only", "audio")):
        labels = {"modality": modality, "top_emotion": "JOY", "degraded": degraded}
        assert value(own, "predictions_total", **labels) == 1
    assert value(own, "model_seconds_count", endpoint="multimodal") == 2


def test_an_unexpected_error_is_counted(
    own: httpx.Client, own_models: FakeModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_models, "text", None)
    own.post("/analyze/text", data={"text": "a"})
    labels = {"route": "/analyze/text", "method": "POST", "code": "500"}
    assert value(own, "requests_total", **labels) == 1


@pytest.mark.parametrize(("fails", "code"), [(False, "499"), (True, "500")])
def test_a_request_without_an_answer_is_counted_too(fails: bool, code: str) -> None:
    async def app(*_: Any) -> None:
        if fails:
            raise ValueError

    metrics = Metrics()
    scope = {"type": "http", "method": "GET", "headers": []}
    call = Observed(app, metrics)(scope, SimpleNamespace, SimpleNamespace)  # type: ignore[arg-type]
    if fails:
        with pytest.raises(ValueError, match=r"^$"):
            asyncio.run(call)
    else:
        asyncio.run(call)
    labels = {"route": "unmatched", "method": "GET", "code": code}
    assert metrics.registry.get_sample_value("neurosense_requests_total", labels) == 1
    assert metrics.registry.get_sample_value("neurosense_requests_in_progress") == 0


def test_what_the_log_reports() -> None:
    metrics = Metrics()
    metrics.log_written(3, 0.25)
    metrics.log_written(40, 0.5)
    metrics.spool(lambda: 4096, lambda: 17)
    metrics.log_degraded(degraded=True)
    metrics.refused("overloaded")

    def sample(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"neurosense_{name}", labels)

    assert sample("log_batch_rows_sum") == 43
    assert sample("log_batch_rows_bucket", le="4.0") == 1
    assert sample("log_write_seconds_sum") == 0.75
    assert sample("log_write_seconds_count") == 2
    assert sample("log_spool_bytes") == 4096
    assert sample("log_rejected_bytes") == 17
    assert sample("log_degraded") == 1
    assert sample("refused_total", reason="overloaded") == 1
    metrics.log_degraded(degraded=False)
    assert sample("log_degraded") == 0


def test_two_applications_count_apart(own: httpx.Client, client: httpx.Client) -> None:
    client.get("/health/live")
    assert value(own, "requests_total", route="/health/live", method="GET", code="200") == 0
