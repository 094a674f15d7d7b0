"""Requests that go on while versions are swapped; every answer is held against its version's."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from ensemble.labels import EMOTIONS
from tests.waiting import wait_for

TEXTS = ["I love this!", "leave me alone", "The meeting was moved to Thursday.", "I am afraid"]
WORKERS = 2
PAUSE_S = 0.1
"""Of each worker after an answer: what is tested is that requests meet a swap, not how many."""


@dataclass
class Load:
    """What came of the requests: versions by how many they answered, and what went wrong."""

    expected: Mapping[tuple[str, str], Any]
    versions: "Counter[str]" = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self, url: str, recording: bytes, seed: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            number = seed
            while not self.stopped.is_set():
                text = TEXTS[number % len(TEXTS)]
                try:
                    answer = _ask(client, text, recording if number % 3 == 0 else None)
                    self._check(text, answer)
                except Exception as error:  # noqa: BLE001  any failure counts
                    self.wrong.append(repr(error))
                number += 1
                self.stopped.wait(PAUSE_S)

    def meet(self, version: str, times: int = 1) -> None:
        """Return when so many more requests were answered by a version, which must serve by now."""
        enough = self.versions[version] + times
        wait_for(lambda: self.versions[version] >= enough, instead=lambda: self.wrong)

    def _check(self, text: str, answer: Any) -> None:
        version = answer["models"]["text"]["version"]
        scores = answer.get("sub_results", {}).get("text", answer)["all_scores"]
        given = [scores.get(emotion.upper(), 0.0) for emotion in EMOTIONS]
        if answer["degraded"] or not np.allclose(given, self.expected[version, text], atol=2e-3):
            self.wrong.append(f"version {version} did not give {answer}")
        self.versions[version] += 1
        self.rows[answer["id"]] = version


def _ask(client: httpx.Client, text: str, recording: bytes | None) -> Any:
    if recording is None:
        answer = client.post("/analyze/text", data={"text": text})
    else:
        answer = client.post("/analyze/multimodal", data={"text": text}, files={"audio": recording})
    answer.raise_for_status()
    return answer.json()


@contextmanager
def load(url: str, recording: bytes, expected: Mapping[tuple[str, str], Any]) -> Iterator[Load]:
    """Keep asking until the block ends; `expected` holds each version's answers to TEXTS."""
    running = Load(expected)
    workers = [
        threading.Thread(target=running.work, args=(url, recording, seed), daemon=True)
        for seed in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    try:
        yield running
    finally:
        running.stopped.set()
        for worker in workers:
            worker.join(timeout=60)
