"""From items and answers to everything that a report says, as plain JSON."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ensemble.fusion import DEFAULT_TEXT_WEIGHT
from ensemble.labels import EMOTIONS
from evaluation.answers import Answers
from evaluation.coverage import ceiling, covered_rows
from evaluation.dialogues import Turns
from evaluation.dialogues import chosen as in_dialogues
from evaluation.items import Dataset, Item, Part
from evaluation.metrics import Floats
from evaluation.scores import scores
from evaluation.sweep import Pair, against, chosen, sweep

BRANCHES = ("text", "audio")
_NONE: dict[str, list[str]] = {"coverage": []}


def report(
    data: Dataset, parts: list[Part], answers: Answers, other: Answers | None = None
) -> dict[str, Any]:
    """Return all scores of each part, and what is chosen on dev and scored on test.

    Args:
        data: where the parts come from.
        parts: dev and test, or all.
        answers: the answers to their items; items without one are counted and left out.
        other: answers of other versions, which are compared with these.
    """
    made: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": _described(data),
        "models": dict(answers.models),
        "parts": {part.name: _part(part, answers) for part in parts},
    }
    pairs = {part.name: pair for part in parts if (pair := _pair(part.items, answers))}
    if len(parts) == 2 and len(pairs) == 2:
        dev, test = (pairs[part.name] for part in parts)
        made["fusion_chosen_on_dev"] = chosen(dev, test)
    if len(parts) == 2 and (told := _dialogues(parts, answers)):
        made["dialogues"] = told
    if other is not None:
        made["compared_with"] = {
            "models": dict(other.models),
            "results": _compared(parts[-1].items, answers, other),
        }
    return made


def _described(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "folding": data.folding,
        "left_out": dict(data.left_out),
        "splits": data.split_note,
    }


def _part(part: Part, answers: Answers) -> dict[str, Any]:
    """Return the scores of each branch alone, and of both where there are both."""
    failed = [a.error for item in part.items if (a := answers.of(item)) and a.error]
    made: dict[str, Any] = {
        "rows": len(part.items),
        "labels": {e: n for e in EMOTIONS if (n := sum(i.label == e for i in part.items))},
        "not_answered": dict(Counter(failed)),
    }
    for branch in BRANCHES:
        items, probabilities = answered(part.items, answers, branch)
        if items:
            made[branch] = _branch(items, probabilities, answers.models[branch]["coverage"])
    if (pair := _pair(part.items, answers)) is not None:
        fused = {name: pair.fused(name, DEFAULT_TEXT_WEIGHT) for name in ("weighted", "coverage")}
        made["fused"] = {name: scores(pair.items, vectors) for name, vectors in fused.items()}
        made["coverage_less_weighted"] = against(pair.items, fused["weighted"], fused["coverage"])
        made["sweep"] = sweep(pair)
        made["served_fusion_differs_by"] = _served_difference(pair, answers)
    return made


def _branch(items: list[Item], probabilities: Floats, covered: list[str]) -> dict[str, Any]:
    """Return the scores on the rows whose label the model has, and on all if that is not all."""
    rows = covered_rows(items, covered)
    limit = ceiling(items, covered)
    made: dict[str, Any] = {"ceiling_on_all_rows": limit}
    if rows:
        made["own_emotions"] = scores([items[row] for row in rows], probabilities[rows])
    if limit["missing"]:
        made["all_rows"] = scores(items, probabilities)
    return made


def answered(items: list[Item], answers: Answers, branch: str) -> tuple[list[Item], Floats]:
    """Return the items that a branch (or `fused`) answered, and its probabilities [n, 7]."""
    found = [(item, getattr(answers.of(item), branch, None)) for item in items]
    given = [(item, vector) for item, vector in found if vector is not None]
    return [item for item, _ in given], np.array([vector for _, vector in given], np.float64)


def _pair(items: list[Item], answers: Answers) -> Pair | None:
    both = [
        item
        for item in items
        if (answer := answers.of(item)) and answer.text is not None and answer.audio is not None
    ]
    if not both:
        return None
    vectors = [answered(both, answers, branch)[1] for branch in BRANCHES]
    coverages = [
        np.array([float(e in answers.models[branch]["coverage"]) for e in EMOTIONS])
        for branch in BRANCHES
    ]
    return Pair(both, *vectors, *coverages)


def _dialogues(parts: list[Part], answers: Answers) -> dict[str, Any]:
    """Return what earlier turns tell each branch, on rows whose label it has."""
    found = {}
    for branch in BRANCHES:
        covered = answers.models.get(branch, _NONE)["coverage"]
        turns = []
        for part in parts:
            items, vectors = answered(part.items, answers, branch)
            rows = covered_rows(items, covered)
            turns.append(Turns([items[row] for row in rows], vectors[rows]))
        if told := in_dialogues(*turns):
            found[branch] = told
    return found


def _served_difference(pair: Pair, answers: Answers) -> float | None:
    """Return how far the served fusion is off `weighted` or `coverage`, whichever is nearer."""
    items, served = answered(pair.items, answers, "fused")
    if len(items) < len(pair.items):
        return None
    made = (pair.fused(strategy, DEFAULT_TEXT_WEIGHT) for strategy in ("weighted", "coverage"))
    return float(min(np.abs(served - fused).max() for fused in made))


def _compared(items: list[Item], answers: Answers, other: Answers) -> dict[str, Any]:
    """Return paired tests, the other answers first, for what both answered and have labels for."""
    made = {}
    for branch in BRANCHES:
        covered = {e for a in (answers, other) for e in a.models.get(branch, _NONE)["coverage"]}
        shared = [
            item
            for item in items
            if item.label in covered
            and all(getattr(one.of(item), branch, None) for one in (answers, other))
        ]
        if shared:
            first, second = (answered(shared, a, branch)[1] for a in (other, answers))
            made[branch] = against(shared, first, second)
    pairs = _pair(items, other), _pair(items, answers)
    if pairs[0] and pairs[1] and pairs[0].items == pairs[1].items:
        first, second = (p.fused("weighted", DEFAULT_TEXT_WEIGHT) for p in pairs if p)
        made["fused"] = against(pairs[1].items, first, second)
    return made
