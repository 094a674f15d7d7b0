"""Spans to an OpenTelemetry collector, as OTLP over HTTP in its JSON form.

OpenTelemetry's own exporter needs protobuf 5, Triton's client protobuf 4.
"""

import json
import logging
import os
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

logger = logging.getLogger("neurosense.api")

_TIMEOUT_S = 2.0
"""Also how long a collector that hangs can hold up the end of the process."""


class OtlpExporter(SpanExporter):
    """Posts to `url`, with the headers in OTEL_EXPORTER_OTLP_HEADERS."""

    def __init__(self, url: str) -> None:
        self._url = url
        headers = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        self._headers = {
            **parse_env_headers(headers, liberal=True),
            "Content-Type": "application/json",
        }

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them once; what a collector does not take is lost, and the log says so."""
        body = json.dumps(encoded(spans)).encode()
        # The settings allow http and https only.
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
                return SpanExportResult.SUCCESS
        except OSError as error:
            logger.warning("%d spans could not be sent: %s", len(spans), error)
            return SpanExportResult.FAILURE


def encoded(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return an ExportTraceServiceRequest; all spans are of one process and one tracer."""
    resource = {"attributes": _attributes(spans[0].resource.attributes)}
    scope = spans[0].instrumentation_scope
    scoped = {"scope": {"name": scope.name if scope else ""}, "spans": [_span(s) for s in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]}


def _span(span: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None  # noqa: S101  a span that has ended has one
    plain = {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        "name": span.name,
        "kind": span.kind.value + 1,  # OTLP's 0 is "unspecified"
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
        "status": {"code": span.status.status_code.value},
    }
    return {**plain, "parentSpanId": f"{span.parent.span_id:016x}"} if span.parent else plain


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}  # JSON has no 64-bit integers
        case float():
            return {"doubleValue": value}
        case tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}
