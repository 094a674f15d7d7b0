"""OpenTelemetry spans: where a request's time went, across the API and Triton.

The rest of the code makes spans through OpenTelemetry's API, which does nothing until
`exporting` gives it somewhere to send them. A span never holds an exception's message, nor
anything of a client but its trace id: both could be about a person.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

_TRACER = trace.get_tracer("neurosense.api")
_W3C = TraceContextTextMapPropagator()


@contextmanager
def span(
    name: str,
    attributes: dict[str, AttributeValue] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> Iterator[Span]:
    """Make a span of the block, marked with the kind of exception that leaves it."""
    with _TRACER.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(StatusCode.ERROR)
            raise


def parent_of(traceparent: str | None) -> Context | None:
    """Return what a client's `traceparent` header says, None without one."""
    # Its tracestate and baggage stay out: anything may be in there.
    return _W3C.extract({"traceparent": traceparent}) if traceparent else None


def outgoing() -> dict[str, str]:
    """Return the headers that make the receiver's spans children of the current one."""
    headers: dict[str, str] = {}
    if trace.get_current_span().is_recording():
        _W3C.inject(headers)
    return headers


@asynccontextmanager
async def exporting(url: str | None) -> AsyncIterator[None]:
    """Post spans to `url` (OTLP over HTTP), the last ones at the end; None: make none."""
    if url is None:
        yield
        return
    # Only here: without an endpoint nothing of the SDK is loaded.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from api.otlp import OtlpExporter

    name = os.environ.get("OTEL_SERVICE_NAME", "neurosense-api")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OtlpExporter(url)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        await asyncio.to_thread(provider.shutdown)
