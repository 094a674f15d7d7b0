"""Calls of Triton over one gRPC channel, each with a deadline, its errors as ours."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from api.faults import timed_out, translated
from api.request_id import current_request_id
from api.tracing import outgoing, span

_T = TypeVar("_T")

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),  # the HTTP side has limited it already
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # Triton is a neighbour, not something out on the web
    # A Triton that was restarted is found again within a second (gRPC's default: two minutes).
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_ABANDONED_S = 60.0
"""How long a call that nobody waits for any more may go on."""


class Calls:
    """Made and used inside one event loop."""

    def __init__(self, url: str) -> None:
        self._client = InferenceServerClient(url, channel_args=_CHANNEL_OPTIONS)
        self._running: set[asyncio.Task[InferResult]] = set()

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()

    async def infer(self, model: str, tensors: list[InferInput], timeout_s: float) -> InferResult:
        """Return the newest version's answer.

        A call whose time is up is left to itself. Cancelling it, as gRPC's own deadline does,
        has crashed Triton 2.51 where a step of an ensemble failed at that moment.
        """
        if timeout_s <= 0:
            raise timed_out()
        limit_s = timeout_s + _ABANDONED_S
        with span(f"triton {model}", {"triton.model_name": model}):
            identity = {"request_id": current_request_id() or "", "headers": outgoing()}
            task = asyncio.create_task(
                _ours(self._client.infer(model, tensors, client_timeout=limit_s, **identity))
            )
            # Watched from the start: whoever waits here may be cancelled, too.
            self._running.add(task)
            task.add_done_callback(self._forget)
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
            if not done:
                raise timed_out()
            return task.result()

    async def config(self, model: str, version: str, timeout_s: float) -> Any:
        """Return the ModelConfig of a version, "" for the newest."""
        if timeout_s <= 0:
            raise timed_out()
        call = self._client.get_model_config(model, version, client_timeout=timeout_s)
        return (await _ours(call)).config

    async def is_ready(self, model: str, timeout_s: float) -> bool:
        """Tell whether a model answers; False where Triton does not."""
        try:
            return bool(await self._client.is_model_ready(model, client_timeout=timeout_s))
        except InferenceServerException:
            return False

    def _forget(self, task: asyncio.Task[InferResult]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio complains that nobody looked


async def _ours(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except InferenceServerException as error:
        raise translated(error) from None
