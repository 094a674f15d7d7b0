"""How right a model still is where its input has suffered.

    python -m evaluation.robustness DATA --layout ravdess --repository REPOSITORY

Every recording, or sentence, of the test split is changed in one way at a time and answered by
the newest published version. Rows whose emotion the model has no output for are left out.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import get_args

from evaluation import changed_speech, changed_text
from evaluation.answers import Answers
from evaluation.coverage import covered_rows
from evaluation.errors import EvaluationError
from evaluation.items import Item, parts
from evaluation.layouts import Layout, read
from evaluation.onnx_files import OnnxFiles
from evaluation.report import answered
from evaluation.run import Models, collect
from evaluation.scores import scores
from export.errors import ExportError
from export.manifest import Branch

UNCHANGED, NEGATED = "unchanged", "of these, with a negation"
_SHOWN = ("accuracy", "unweighted_recall", "macro_f1")


def robustness(items: list[Item], branch: Branch, models: Models) -> dict[str, dict[str, float]]:
    """Return accuracy, unweighted recall and macro F1 by change, of the unchanged first.

    Of sentences, also those of the unchanged that hold a negation.

    Raises:
        EvaluationError: no item has what the branch reads.
    """
    items = [item for item in items if getattr(item, branch) is not None]
    if not items:
        raise EvaluationError(f"nothing in the data has {branch}: choose another --branch")
    changes = changed_text.CHANGES if branch == "text" else changed_speech.CHANGES
    found = {}
    for name in (UNCHANGED, *changes):
        with tempfile.TemporaryDirectory() as folder:
            asked = [_changed(item, branch, name, Path(folder)) for item in items]
            answers = collect(asked, models, Path(folder))
            found[name] = _scored(asked, branch, answers)
            negated = [item for item in asked if changed_text.NEGATION.search(item.text or "")]
            if name == UNCHANGED and negated:
                found[NEGATED] = _scored(negated, branch, answers)
    return found


def _changed(item: Item, branch: Branch, name: str, folder: Path) -> Item:
    """Return the item with only what the branch reads, changed; recordings lie in `folder`."""
    if branch == "text":
        text = item.text or ""
        text = text if name == UNCHANGED else changed_text.change(text, name)
        return dataclasses.replace(item, audio=None, text=text)
    file = item.audio or Path()
    if name != UNCHANGED:
        file = folder / f"{item.key}.wav"
        changed_speech.change(item.audio or Path(), name, file)
    return dataclasses.replace(item, text=None, audio=file)


def _scored(items: list[Item], branch: Branch, answers: Answers) -> dict[str, float]:
    items, probabilities = answered(items, answers, branch)
    rows = covered_rows(items, answers.models[branch]["coverage"])
    made = scores([items[row] for row in rows], probabilities[rows])
    return {name: made[name]["value"] for name in _SHOWN} | {"rows": len(rows)}


def _lines(found: dict[str, dict[str, float]]) -> list[str]:
    """Return a Markdown table."""
    lines = [
        "| | rows | accuracy | UAR | macro F1 | UAR less unchanged |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        less = one["unweighted_recall"] - found[UNCHANGED]["unweighted_recall"]
        cells = [f"{one[key]:.3f}" for key in _SHOWN]
        lines.append(f"| {name} | {one['rows']} | {' | '.join(cells)} | {less:+.3f} |")
    return lines


def main() -> None:
    """Print the table that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.robustness",
        description="Score a published version on changed copies of labelled data.",
    )
    parser.add_argument("data", type=Path, help="a manifest, or a corpus's folder with --layout")
    parser.add_argument("--layout", choices=get_args(Layout), help="whose folder it is")
    parser.add_argument(
        "--branch", choices=get_args(Branch), default="audio", help="what is changed and scored"
    )
    parser.add_argument("--repository", type=Path, required=True, help="where it is published")
    parser.add_argument("--split", default="test", help="which part of the data")
    options = parser.parse_args()
    try:
        part = parts(read(options.data, options.layout), "", options.split)[-1]
        models = OnnxFiles(options.repository, {})
        print("\n".join(_lines(robustness(part.items, options.branch, models))))  # noqa: T201
    except (EvaluationError, ExportError, OSError) as error:
        sys.exit(f"evaluation.robustness: {error}")


if __name__ == "__main__":
    main()
