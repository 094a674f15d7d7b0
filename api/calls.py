"""Calls of Triton over one gRPC channel, each with a deadline, its errors as ours."""

from collections.abc import Awaitable
from typing import Any, TypeVar

from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from api.channel import CHANNEL_OPTIONS
from api.faults import timed_out, translated
from api.request_id import current_request_id
from api.tracing import outgoing, span

_T = TypeVar("_T")


class Calls:
    """Made and used inside one event loop."""

    def __init__(self, url: str) -> None:
        self._client = InferenceServerClient(url, channel_args=CHANNEL_OPTIONS)

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()

    async def infer(self, model: str, tensors: list[InferInput], timeout_s: float) -> InferResult:
        """Return the newest version's answer.

        When the time is up, or whoever waits is cancelled, Triton drops the request's queued work.
        """
        if timeout_s <= 0:
            raise timed_out()
        with span(f"triton {model}", {"triton.model_name": model}):
            identity = {"request_id": current_request_id() or "", "headers": outgoing()}
            call = self._client.infer(model, tensors, client_timeout=timeout_s, **identity)
            return await _ours(call)

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


async def _ours(call: Awaitable[_T]) -> _T:
    try:
        return await call
    except InferenceServerException as error:
        raise translated(error) from None
