"""Asks the ensembles of a running Triton: the path that users' requests take.

Many calls are open at once and Triton batches them; there is no HTTP and no prediction log.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from evaluation.answers import Answer
from evaluation.errors import EvaluationError
from evaluation.items import Item

Keep = Callable[[Item, Answer], None]

_TIMEOUT_S = 120.0
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
_INPUT_AT_FAULT = re.compile(r"\[([a-z_]+)\] ")


class Served:
    """The ensembles behind a gRPC address."""

    def __init__(self, url: str, in_flight: int) -> None:
        self._url = url
        self._in_flight = in_flight
        self._described: dict[str, dict[str, Any]] = {}

    def models(self, branches: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what Triton says of the weights of each branch.

        Raises:
            EvaluationError: it does not answer, or serves other models than ours.
        """
        self._described = asyncio.run(self._guarded(lambda client: _described(client, branches)))
        return self._described

    def ask(self, items: Sequence[Item], keep: Keep) -> None:
        """Ask for every item, and hand each answer over as it comes.

        Raises:
            EvaluationError: Triton went away, or served other versions in the end; what was
                answered has been handed over.
        """
        asyncio.run(self._guarded(lambda client: self._ask(client, items, keep)))
        before = self._described
        if self.models(list(before)) != before:
            raise EvaluationError(
                f"Triton at {self._url} began to serve other versions meanwhile: there are "
                "answers of both now. Remove the --out folder and run it again"
            )

    async def _guarded(self, work: Callable[[Any], Any]) -> Any:
        client = InferenceServerClient(self._url, channel_args=_OPTIONS)
        try:
            return await work(client)
        except InferenceServerException as error:
            raise EvaluationError(
                f"Triton at {self._url} does not answer ({error.message()}). Start it with "
                "`neurosense serve` (another address: --url), or use --onnx, which needs no server"
            ) from None
        finally:
            await client.close()

    async def _ask(self, client: Any, items: Sequence[Item], keep: Keep) -> None:
        waiting: Iterator[Item] = iter(items)

        async def one_caller() -> None:
            for item in waiting:  # shared: whoever is free takes the next
                keep(item, await _answer(client, item))

        await asyncio.gather(*(one_caller() for _ in range(self._in_flight)))


async def _answer(client: Any, item: Item) -> Answer:
    try:
        result = await client.infer(_ensemble(item), _inputs(item), client_timeout=_TIMEOUT_S)
    except InferenceServerException as error:
        found = _INPUT_AT_FAULT.search(error.message() or "")
        if found is None:
            raise
        return Answer(error=found[1])
    if item.text is None or item.audio is None:
        alone = _vector(result, "PROBABILITIES")
        return Answer(text=alone) if item.audio is None else Answer(audio=alone)
    return Answer(
        text=_vector(result, "TEXT_PROBABILITIES"),
        audio=_vector(result, "AUDIO_PROBABILITIES"),
        fused=_vector(result, "PROBABILITIES"),
    )


def _ensemble(item: Item) -> str:
    if item.audio is None:
        return "emotion_text"
    return "emotion_audio" if item.text is None else "emotion_multimodal"


def _inputs(item: Item) -> list[Any]:
    text = [] if item.text is None else [_tensor("TEXT", item.text.encode())]
    return text + ([] if item.audio is None else [_tensor("AUDIO", item.audio.read_bytes())])


def _tensor(name: str, content: bytes) -> Any:
    tensor = InferInput(name, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[content]], dtype=np.object_))
    return tensor


def _vector(result: InferResult, output: str) -> list[float]:
    return [float(f"{value:.7g}") for value in result.as_numpy(output)[0].tolist()]


async def _described(client: Any, branches: Sequence[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for branch in branches:
        name = f"emotion_{branch}"
        answer = await client.get_model_config(name, client_timeout=_TIMEOUT_S)
        said = answer.config.parameters[branch].string_value
        try:
            found[branch] = json.loads(said)
        except json.JSONDecodeError:
            raise EvaluationError(
                f"{name} does not say whose weights it has, so it is none of `neurosense serve`'s: "
                "name its Triton with --url, or use --onnx"
            ) from None
    return found
