"""One request in the logs, metrics and traces of the whole real system."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from tests.api.collector import Collector, Span, collecting
from tests.conftest import Stack, stack_environment, start_serve, stop_serve
from tests.recordings import wav

README = (Path(__file__).parents[2] / "README.md").read_text()
MARK = "Jane-Austen"
UNSEEN, SEEN = "00", "01"  # the flag of a trace that is not, and of one that is to be recorded
ATTEMPTS = range(1, 6)


@dataclass(frozen=True)
class Traced:
    """A system of its own that sends its traces to a collector."""

    api: httpx.Client
    collector: Collector
    logs: Path


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    with collecting() as collector:
        environment = stack_environment(
            folder / "state",
            NEUROSENSE_LOG_FORMAT="json",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="100",
            no_proxy="127.0.0.1",
        )
        process = start_serve(environment, folder / "serve.log")
        url = f"http://127.0.0.1:{environment['NEUROSENSE_API_PORT']}"
        try:
            with httpx.Client(base_url=url, timeout=60) as api:
                yield Traced(api, collector, folder / "state" / "logs")
        finally:
            stop_serve(process)


def trace(number: int) -> str:
    return f"4bf92f3577b34da6a3ce929d0e0e47{number:02x}"


def ask(traced: Traced, number: int, flags: str, audio: bytes, identity: str) -> dict[str, Any]:
    headers = {
        "traceparent": f"00-{trace(number)}-00f067aa0ba902b7-{flags}",
        "X-Request-ID": identity,
    }
    files = {"audio": (f"{MARK}.wav", audio)}
    form = {"text": f"I love {MARK}!"}
    answer = traced.api.post("/analyze/multimodal", data=form, files=files, headers=headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def of(spans: list[Span], number: int, service: str) -> dict[str, Span]:
    return {
        span["name"]: span
        for span in spans
        if (span["traceId"], span["service"]) == (trace(number), service)
    }


def whole_trace(traced: Traced) -> tuple[dict[str, Span], dict[str, Span]]:
    """Return the spans of API and Triton for one request; spans may get lost on a busy machine."""
    wanted = {"InferRequest", "emotion_multimodal", "text_tokenizer", "audio_classifier", "fusion"}
    called = {"POST /analyze/multimodal", "triton emotion_multimodal"}
    for number in ATTEMPTS:
        ask(traced, number, SEEN, wav(1), "seen")
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            spans = traced.collector.spans()
            ours, tritons = (of(spans, number, f"neurosense-{who}") for who in ("api", "triton"))
            if wanted <= set(tritons) and called <= set(ours):
                return ours, tritons
            time.sleep(0.2)
    pytest.fail(f"of {len(ATTEMPTS)} traces none arrived whole")


def test_a_trace_goes_through_api_and_triton(traced: Traced) -> None:
    ask(traced, 0, UNSEEN, wav(1), "unseen")
    ours, tritons = whole_trace(traced)
    call = ours["triton emotion_multimodal"]
    assert call["parentSpanId"] == ours["POST /analyze/multimodal"]["spanId"]
    assert tritons["InferRequest"]["parentSpanId"] == call["spanId"]
    assert tritons["fusion"]["attributes"]["triton.request_id"] == "seen"
    # Whoever asks not to be traced is not, neither here nor there.
    spans = traced.collector.spans()
    assert trace(0) not in {span["traceId"] for span in spans}
    identities = {span["attributes"].get("triton.request_id") for span in spans}
    assert "unseen" not in identities


def test_a_failing_branch_leaves_nothing_of_the_input_anywhere(traced: Traced) -> None:
    for number in range(20):
        answer = ask(traced, 99, SEEN, f"{MARK} is no recording".encode(), f"failing-{number}")
        assert answer["degraded"]["modality"] == "audio"
    traced.collector.wait_for(  # one of the last ten: spans may get lost
        lambda spans: any(
            str(span["attributes"].get("triton.request_id")).startswith("failing-1")
            for span in spans
        )
    )
    files = {path.name: path.read_text() for path in traced.logs.iterdir()}
    assert {"api.log", "triton.log", "postgres.log"} <= set(files)
    lines = [json.loads(line) for line in files["api.log"].splitlines()]
    assert "failing-0" in {line["request_id"] for line in lines}
    seen = {**files, "metrics": traced.api.get("/metrics").text}
    seen["spans"] = b"".join(traced.collector.bodies).decode()
    assert [name for name, text in seen.items() if MARK in text] == []


def test_every_metric_that_the_readme_names_is_scraped(stack: Stack) -> None:
    [section] = re.findall(r"\n## Seeing it\n(.+?)\n## ", README, re.DOTALL)
    named = set(re.findall(r"`((?:neurosense|nv|process)_\w+)`", section))
    assert len(named) > 15
    given = set(re.findall(r"^# TYPE (\w+) ", stack.scraped(), re.MULTILINE))
    assert named - given == set()


def test_the_readme_says_where_to_scrape() -> None:
    [snippet] = re.findall(r"```yaml\n(scrape_configs.+?)```", README, re.DOTALL)
    jobs = {
        job["job_name"]: job["static_configs"] for job in yaml.safe_load(snippet)["scrape_configs"]
    }
    assert jobs == {
        "neurosense-api": [{"targets": ["127.0.0.1:8080"]}],
        "neurosense-triton": [{"targets": ["127.0.0.1:8002"]}],
    }
