"""The same two graphs in a plain loop: what the service could do if serving cost nothing."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from tokenizers import Tokenizer

from benchmarks import devices
from benchmarks.grpc_load import Asked
from benchmarks.points import Device
from benchmarks.rows import Row
from benchmarks.sources import newest
from ensemble.audio import decode
from export.manifest import Branch
from export.parity import run


class BareSessions:
    """ONNX sessions of a repository's newest versions, run one batch at a time."""

    def __init__(
        self,
        repository: Path,
        requests: Sequence[Asked],
        threads: int,
        device: Device = "cpu",
        batches: Sequence[int] = (1,),
    ) -> None:
        """Load both graphs, tokenize and decode; none of that is timed.

        Args:
            repository: the one that the service serves.
            requests: what `per_second` runs.
            threads: of each session; they never run at the same time.
            device: where they run.
            batches: how many requests a session takes at a time; the best of them counts.
        """
        folders = {branch: newest(branch, repository) for branch in get_args(Branch)}
        self._sessions = {
            branch: devices.session(folder / "model.onnx", threads, device)
            for branch, folder in folders.items()
        }
        version = folders["text"].name
        tokenizer = repository / "text_tokenizer" / version / "tokenizer.json"
        self._rows = _rows(requests, Tokenizer.from_file(str(tokenizer)))
        self._batches = batches

    def per_second(self) -> float:
        """Return how many of the requests are computed in a second; all of them are run."""
        return max(self._per_second(batch) for batch in self._batches)

    def _per_second(self, batch: int) -> float:
        self._run(self._rows[: 2 * batch], batch)
        begin = time.perf_counter()
        self._run(self._rows, batch)
        return len(self._rows) / (time.perf_counter() - begin)

    def _run(self, requests: Sequence[dict[Branch, Row]], batch: int) -> None:
        for start in range(0, len(requests), batch):
            together = requests[start : start + batch]
            for branch, session in self._sessions.items():
                if rows := [request[branch] for request in together if branch in request]:
                    run(session, rows, [len(row) for row in rows])


def _rows(requests: Sequence[Asked], tokenizer: Tokenizer) -> list[dict[Branch, Row]]:
    rows: list[dict[Branch, Row]] = []
    for one in requests:
        row: dict[Branch, Row] = {}
        if one.text is not None:
            row["text"] = np.array(tokenizer.encode(one.text).ids, dtype=np.int64)
        if one.clip is not None:
            row["audio"] = decode(one.clip.encoded)
        rows.append(row)
    return rows
