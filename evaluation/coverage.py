"""Emotions that a model has no output for: what is scored without them, and what they cost."""

from collections.abc import Collection, Sequence
from typing import Any

from evaluation.items import Item


def covered_rows(items: Sequence[Item], covered: Collection[str]) -> list[int]:
    """Return the places of the items whose label the model can express."""
    return [place for place, item in enumerate(items) if item.label in covered]


def ceiling(items: Sequence[Item], covered: Collection[str]) -> dict[str, Any]:
    """Return the best scores on all rows that any model of these emotions could reach.

    A row with another label is wrong whatever it says, so accuracy ends at the covered share of
    the rows, and unweighted recall at the covered share of the classes that occur.
    """
    occur = {item.label for item in items}
    missing = sorted(occur - set(covered))
    return {
        "missing": missing,
        "accuracy": len(covered_rows(items, covered)) / len(items),
        "unweighted_recall": (len(occur) - len(missing)) / len(occur),
    }
