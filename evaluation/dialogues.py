"""What the earlier turns of a dialogue tell of the next one, if anything.

A turn's probabilities are multiplied by a prior, 1 + Σ decay^k · p of the turn k before it, and
normalised. With decay 0 they stay as they are. A client that keeps the sum could pass it on, so the
service would need no memory; it has no such input, since no dialogues have shown yet that it helps.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.items import Item, emotion_index
from evaluation.metrics import Floats
from evaluation.sweep import against

DECAYS = tuple(round(step / 20, 2) for step in range(20))
_STANDARD_ERRORS = 2.0  # of the mean gain of a dialogue: less is chance


@dataclass(frozen=True)
class Turns:
    """Items in the order they were said, and the probabilities [n, 7] of them."""

    items: list[Item]
    vectors: Floats

    @property
    def earlier(self) -> int:
        """How many turns have one before them in their dialogue."""
        named = [item.dialogue for item in self.items if item.dialogue is not None]
        return len(named) - len(set(named))

    def in_context(self, decay: float) -> Floats:
        """Return the probabilities [n, 7] with the prior of each turn's earlier ones."""
        sums: dict[str, Floats] = {}
        made = self.vectors.copy()
        for row, item in enumerate(self.items):
            if item.dialogue is not None:
                before = sums.get(item.dialogue, np.zeros(made.shape[1]))
                made[row] *= 1 + before
                sums[item.dialogue] = decay * (self.vectors[row] + before)
        return np.asarray(made / made.sum(axis=1, keepdims=True), dtype=np.float64)

    def losses(self, decay: float) -> Floats:
        """Return the negative log-likelihood of each dialogue's truth, in nats."""
        names = [str(item.dialogue) for item in self.items]
        dialogues = np.unique(names, return_inverse=True)[1]
        given = self.in_context(decay)[np.arange(len(names)), emotion_index(self.items)]
        losses = -np.log(np.maximum(given, np.finfo(np.float32).tiny))
        return np.asarray(np.bincount(dialogues, losses), dtype=np.float64)


def chosen(dev: Turns, test: Turns) -> dict[str, Any] | None:
    """Return the decay that makes dev's truth likeliest, and a paired test of it on test.

    The decay is 0 unless what it gains on dev is beyond chance. None where no turn has an earlier
    one. Dialogues are what the test draws.
    """
    if not (dev.earlier and test.earlier):
        return None
    rows = len(dev.items)
    losses = {decay: dev.losses(decay) for decay in DECAYS}
    decay = min(losses, key=lambda one: losses[one].mean())
    gains = losses[0.0] - losses[decay]
    if gains.mean() <= _STANDARD_ERRORS * gains.std() / np.sqrt(len(gains)):
        decay = 0.0
    drawn = [dataclasses.replace(item, speaker=item.dialogue) for item in test.items]
    return {
        "decay": decay,
        "dev_log_loss": {str(one): float(loss.sum()) / rows for one, loss in losses.items()},
        "turns_with_earlier_ones": test.earlier,
        "test": against(drawn, test.vectors, test.in_context(decay)),
    }
