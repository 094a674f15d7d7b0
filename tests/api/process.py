"""`python -m tests.api.process`: the API as its own process, with models that know one answer."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api import body
from api.__main__ import run
from api.app import create_app
from api.models import BranchResult
from api.settings import load
from serving.ports import answers, free_ports
from serving.process import Child
from tests.api.fakes import FakeModels
from tests.waiting import PATIENT_LOG_S

PROJECT = Path(__file__).parents[2]
EXPLODING = "explode"
_STOP_S = 60
LINGERING, LINGER = "linger", "TESTS_LINGER"
"""A text that is never answered, in a process with that variable."""
DRAIN_S = "TESTS_DRAIN_S"
"""The variable that says how long a client may go on sending after its answer."""


class Exploding(FakeModels):
    """Fails in a way that nobody foresaw, and quotes what it was sent; or doesn't answer."""

    async def text(self, text: bytes, timeout_s: float) -> BranchResult:
        if EXPLODING.encode() in text:
            raise ValueError(f"cannot read {text!r}")
        if LINGERING.encode() in text and LINGER in os.environ:
            await asyncio.sleep(3600)
        return await super().text(text, timeout_s)


@dataclass(frozen=True)
class Api:
    """The process, its client and its log."""

    client: httpx.Client
    log_path: Path
    child: Child

    def stop(self) -> str:
        """End it and return its log."""
        self.child.stop(_STOP_S)
        return self.log_path.read_text()


@contextmanager
def api_process(
    database_url: str, log_path: Path, module: str = "tests.api.process", **settings: str
) -> Iterator[Api]:
    """The API under uvicorn as in production, but for its models; `api` has the real ones."""
    port = settings.get("NEUROSENSE_API_PORT") or free_ports(1)[0]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NEURO", "OTEL"))}
    folder = str(log_path.parent)
    environment |= {"DATABASE_URL": database_url, "NEUROSENSE_API_PORT": str(port)}
    environment |= {"NEUROSENSE_SPOOL_DIR": f"{folder}/spool"}
    environment |= {"NEUROSENSE_LOG_TIMEOUT_S": PATIENT_LOG_S, **settings}
    command = [sys.executable, "-m", module]
    child = Child("api", command, log_path, env=environment, cwd=PROJECT)
    url = f"http://127.0.0.1:{port}"
    try:
        child.wait_until(lambda: answers(f"{url}/health/live", timeout_s=1), 60)
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Api(client, log_path, child)
    finally:
        child.stop(_STOP_S)


if __name__ == "__main__":
    body._DRAIN_S = float(os.environ.get(DRAIN_S, body._DRAIN_S))
    chosen = load()
    run(create_app(chosen, lambda _: Exploding()), chosen)
