"""The report in a few lines, for the terminal."""

from collections.abc import Iterator
from typing import Any

from evaluation.html import spread


def lines(made: dict[str, Any]) -> Iterator[str]:
    """Yield the main figures of each part."""
    for name, part in made["parts"].items():
        yield f"{made['data']['name']} {name}: {part['rows']} rows"
        if failed := sum(part["not_answered"].values()):
            yield f"  {failed} rows were not answered: {part['not_answered']}"
        for branch in ("text", "audio"):
            if branch in part:
                yield from _branch(branch, part[branch])
        for strategy, found in part.get("fused", {}).items():
            yield _scores(f"fused, {strategy}", found)
    for strategy, one in made.get("fusion_chosen_on_dev", {}).items():
        yield _scores(f"fused, {strategy}, weight {one['weight']:g} (best on dev)", one["test"])
    for branch, tests in made.get("compared_with", {}).get("results", {}).items():
        found, p = tests["macro_f1"], tests["mcnemar"]["p"]
        low, high = found["interval"]
        yield (
            f"  {branch} less the other's: macro F1 {found['difference']:+.3f} "
            f"({low:+.3f} to {high:+.3f}); McNemar p = {p:.3g}"
        )


def _branch(branch: str, found: dict[str, Any]) -> Iterator[str]:
    limit = found["ceiling_on_all_rows"]
    if "own_emotions" in found:
        yield _scores(f"{branch}, emotions that it has", found["own_emotions"])
    if "all_rows" in found:
        yield _scores(f"{branch}, all rows", found["all_rows"])
        yield (
            f"    it has no {', '.join(limit['missing'])}: at most accuracy "
            f"{limit['accuracy']:.3f} and UAR {limit['unweighted_recall']:.3f} on all rows"
        )


def _scores(what: str, found: dict[str, Any]) -> str:
    return (
        f"  {what} ({found['rows']} rows): accuracy {spread(found['accuracy'])}, "
        f"UAR {spread(found['unweighted_recall'])}, macro F1 {spread(found['macro_f1'])}, "
        f"ECE {found['calibration']['ece']:.3f}"
    )
