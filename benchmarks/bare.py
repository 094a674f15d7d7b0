"""The same two graphs in a plain loop: what the service could do if serving cost nothing."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from tokenizers import Tokenizer

from benchmarks.devices import session
from benchmarks.grpc_load import Asked
from benchmarks.points import Device
from benchmarks.rows import Row
from benchmarks.sources import newest
from ensemble.audio import decode
from export.manifest import Branch
from export.parity import run


class BareSessions:
    """ONNX sessions of a repository's newest versions, run one request at a time."""

    def __init__(
        self,
        repository: Path,
        requests: Sequence[Asked],
        threads: int,
        device: Device = "cpu",
    ) -> None:
        """Load both graphs, tokenize and decode; none of that is timed.

        Args:
            repository: the one that the service serves.
            requests: what `per_second` runs.
            threads: of each session; they never run at the same time.
            device: where they run.
        """
        folders = {branch: newest(branch, repository) for branch in get_args(Branch)}
        self._sessions = {
            branch: session(folder / "model.onnx", threads, device)
            for branch, folder in folders.items()
        }
        version = folders["text"].name
        tokenizer = repository / "text_tokenizer" / version / "tokenizer.json"
        self._rows = _rows(requests, Tokenizer.from_file(str(tokenizer)))

    def per_second(self) -> float:
        """Return how many of the requests are computed in a second; all of them are run."""
        self._run(self._rows[:2])
        begin = time.perf_counter()
        self._run(self._rows)
        return len(self._rows) / (time.perf_counter() - begin)

    def _run(self, rows: Sequence[dict[Branch, Row]]) -> None:
        for request in rows:
            for branch, row in request.items():
                run(self._sessions[branch], [row], [len(row)])


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
