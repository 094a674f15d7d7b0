"""A small server that speaks Triton's protocol, to misbehave as a real one seldom does."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from api.triton import Triton
from ensemble.labels import EMOTIONS

TEXT = {"name": "t", "version": "3", "weights": "hub", "revision": None, "coverage": list(EMOTIONS)}
AUDIO = {"name": "a", "version": "2", "weights": "local", "coverage": ["anger", "joy"]}
P = [0.1, 0.0, 0.0, 0.5, 0.1, 0.2, 0.1]


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers P, until a test sets what it should do instead."""

    def __init__(self) -> None:
        self.version = "1"
        self.probabilities = P
        self.parameters = {"text": json.dumps(TEXT), "audio": json.dumps(AUDIO)}
        self.fault: tuple[Any, str] | None = None
        self.hang_s = 0.0
        self.cancelled = 0
        self.requests: list[Any] = []
        self.configs_asked: list[tuple[str, str]] = []

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.requests.append(request)
        try:
            await asyncio.sleep(self.hang_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fault:
            await context.abort(*self.fault)
        response = service_pb2.ModelInferResponse(
            model_name=request.model_name, model_version=self.version
        )
        for name in ("PROBABILITIES", "TEXT_PROBABILITIES", "AUDIO_PROBABILITIES"):
            response.outputs.add(name=name, datatype="FP32", shape=[1, len(self.probabilities)])
            raw = np.array(self.probabilities, dtype=np.float32).tobytes()
            response.raw_output_contents.append(raw)
        response.outputs.add(name="TRUNCATED_TOKENS", datatype="INT32", shape=[1, 1])
        response.raw_output_contents.append(np.array([[4]], dtype=np.int32).tobytes())
        return response

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.configs_asked.append((request.name, request.version))
        if request.version not in ("", self.version):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "unknown version")
        response = service_pb2.ModelConfigResponse()
        for key, value in self.parameters.items():
            response.config.parameters[key].string_value = value
        return response

    async def ModelReady(self, request: Any, _context: Any) -> Any:  # noqa: N802
        await asyncio.sleep(self.hang_s)
        return service_pb2.ModelReadyResponse(ready=request.name != "emotion_audio")


async def start(servicer: Servicer, port: int = 0) -> tuple[Any, int]:
    """Return the server that runs, and its port; by default one that nobody else can take."""
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
    server = grpc.aio.server(options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, port


@asynccontextmanager
async def running(servicer: Servicer) -> AsyncIterator[Triton]:
    server, port = await start(servicer)
    triton = Triton(f"127.0.0.1:{port}")
    try:
        yield triton
    finally:
        await triton.close()
        await server.stop(None)


def with_triton(servicer: Servicer, test: Callable[[Triton], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running(servicer) as triton:
            await test(triton)

    asyncio.run(run())
