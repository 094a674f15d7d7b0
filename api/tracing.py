"""OpenTelemetry spans: where a request's time went, across the API and Triton.

The rest of the code makes spans by `span`, which does nothing (and costs nothing) until `exporting`
gives it somewhere to send them. A span never holds an exception's message, nor anything of a client
but its trace id: both could be about a person.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

_tracer: Tracer | None = None
_NO_SPAN = nullcontext(INVALID_SPAN)
_W3C = TraceContextTextMapPropagator()


def is_on() -> bool:
    """Tell whether spans are made."""
    return _tracer is not None


def span(
    name: str,
    attributes: dict[str, AttributeValue] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> AbstractContextManager[Span]:
    """Make a span of the block, marked with the kind of exception that leaves it."""
    if _tracer is None:
        return _NO_SPAN
    return _marked(
        _tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        )
    )


@contextmanager
def _marked(span: AbstractContextManager[Span]) -> Iterator[Span]:
    with span as current:
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
    global _tracer
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
    _tracer = provider.get_tracer("neurosense.api")
    try:
        yield
    finally:
        _tracer = None
        await asyncio.to_thread(provider.shutdown)
