"""Spans as a collector gets them."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api import tracing
from api.settings import load
from api.tracing import outgoing, parent_of, span
from tests.api.asking import WAV
from tests.api.collector import Collector, Span, collecting
from tests.api.process import EXPLODING, PROJECT, api_process

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100", "no_proxy": "127.0.0.1"}


def environment(collector: Collector) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **QUICK}


def named(spans: list[Span], name: str) -> Span:
    [found] = [span for span in spans if span["name"] == name]
    return found


def test_a_request_is_a_tree_of_spans(database_url: str, tmp_path: Path) -> None:
    headers = {"traceparent": PARENT, "X-Request-ID": "my-id"}
    with collecting() as collector:
        more = {"OTEL_EXPORTER_OTLP_HEADERS": "x-token=a%20b"}
        with api_process(database_url, tmp_path / "log", **environment(collector), **more) as api:
            form = {"text": "a"}
            api.client.post("/analyze/multimodal", data=form, files=WAV, headers=headers)
    # The last spans are sent when the process ends.
    mine = [span for span in collector.spans() if span["traceId"] == TRACE]
    server = named(mine, "POST /analyze/multimodal")
    assert server["parentSpanId"] == "00f067aa0ba902b7"
    assert server["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/analyze/multimodal",
        "http.response.status_code": "200",
        "neurosense.request_id": "my-id",
    }
    assert server["service"] == "neurosense-api"
    for name in ("read body", "write log row"):
        child = named(mine, name)
        assert child["parentSpanId"] == server["spanId"]
        times = [int(span[f"{end}TimeUnixNano"]) for span, end in (
            (server, "start"), (child, "start"), (child, "end"), (server, "end"))]  # fmt: skip
        assert times == sorted(times)
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.headers[0]["X-Token"] == "a b"


def test_an_error_is_marked_without_its_message(database_url: str, tmp_path: Path) -> None:
    with collecting() as collector:
        with api_process(database_url, tmp_path / "log", **environment(collector)) as api:
            for text in (EXPLODING, ""):
                headers = {"traceparent": PARENT}
                api.client.post("/analyze/text", data={"text": text}, headers=headers)
            assert api.child.exit_code() is None
        codes = {
            (span["attributes"]["http.response.status_code"], span["status"]["code"])
            for span in collector.spans()
            if span["name"] == "POST /analyze/text"
        }
    assert codes == {("500", 2), ("422", 0)}  # 2: ERROR, 0: not set
    assert not any("events" in span for span in collector.spans())
    assert not any("message" in span["status"] for span in collector.spans())


def test_a_span_does_not_quote_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    with span("working"):
        assert set(outgoing()) == {"traceparent"}
    with pytest.raises(ValueError, match="what was sent"), span("failing"):
        raise ValueError("what was sent")
    [_, failed] = kept.get_finished_spans()
    assert failed.attributes == {"error.type": "ValueError"}
    assert failed.status.status_code.name == "ERROR"
    assert "what was sent" not in failed.to_json()


def test_a_client_that_does_not_sample_is_heeded(database_url: str, tmp_path: Path) -> None:
    with collecting() as collector:
        with api_process(database_url, tmp_path / "log", **environment(collector)) as api:
            for flags in ("00", "01"):
                headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-{flags}"}
                api.client.get(f"/health/{'ready' if flags == '00' else 'live'}", headers=headers)
        names = [span["name"] for span in collector.spans() if span["traceId"] == TRACE]
    assert names == ["GET /health/live"]


def test_a_collector_that_is_away_costs_only_spans(database_url: str, tmp_path: Path) -> None:
    with socket.socket() as closed:  # its port is taken, and nobody listens there
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **QUICK}
        with api_process(database_url, tmp_path / "log", **settings) as api:
            assert api.client.post("/analyze/text", data={"text": "a"}).status_code == 200
            assert "spans could not be sent" in api.stop()


def test_without_an_endpoint_the_sdk_is_not_even_loaded() -> None:
    code = "import sys, api.__main__; print('opentelemetry.sdk' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=PROJECT) == b"False\n"


def test_an_endpoint_that_is_no_address_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4317")
    with pytest.raises(SystemExit, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: .*http://127"):
        load()


def test_without_an_endpoint_nothing_is_handed_on(client: httpx.Client) -> None:
    assert client.get("/health/live", headers={"traceparent": PARENT}).status_code == 200
    assert outgoing() == {}


@pytest.mark.parametrize("sent", ["", "nonsense", "00-0-0-01", "\x00", "00-" + "0" * 32])
def test_a_broken_traceparent_does_no_harm(client: httpx.Client, sent: str) -> None:
    parent_of(sent)
    assert client.get("/health/live", headers={"traceparent": sent.strip("\0")}).status_code == 200
