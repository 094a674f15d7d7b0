"""The report as one HTML page."""

from collections.abc import Iterator
from html import escape
from typing import Any

from evaluation import html, plots
from evaluation.metrics import MEASURES
from evaluation.page_scores import WORDS, changed_table, paired_table, score_tables
from evaluation.sweep import CHOSEN_BY

_CHANGED = {"text": "sentences", "audio": "recordings"}
_OF_MODEL = ("name", "version", "weights", "revision", "precision")


def render(made: dict[str, Any]) -> str:
    """Return the page of a report."""
    return html.page(f"How right is it? {made['data']['name']}", _sections(made))


def _sections(made: dict[str, Any]) -> Iterator[str]:
    yield from _about(made)
    *chosen_on, scored = made["parts"].items()
    yield f"<h2>{escape(scored[0])}: {scored[1]['rows']} rows</h2>"
    yield from _part(scored[1])
    for name, part in chosen_on:
        yield f"<h2>{escape(name)}: {part['rows']} rows</h2>"
        yield f"<details><summary>All of {escape(name)}</summary>{''.join(_part(part))}</details>"
    if chosen := made.get("fusion_chosen_on_dev"):
        yield from _chosen(chosen)
    for branch, told in made.get("dialogues", {}).items():
        yield "<h2>Dialogues: what the turns before tell</h2>"
        caption = f"{branch}: decay {told['decay']:g} (best on dev), less without"
        yield paired_table(caption, told["test"])
    for branch, found in made.get("changed", {}).items():
        yield f"<h2>Changed {_CHANGED[branch]}</h2>"
        yield changed_table(found)
    if compared := made.get("compared_with"):
        yield from _compared(compared)


def _about(made: dict[str, Any]) -> Iterator[str]:
    data = made["data"]
    yield (
        "<p>Intervals hold 95 %, by bootstrap over speakers where they are known, else over rows. "
        "Means are over the emotions that occur. ECE: 15 bins of equal width.</p>"
    )
    rows = [
        [branch, *(model.get(name, "") for name in _OF_MODEL), _temperature(model)]
        for branch, model in made["models"].items()
    ]
    yield html.table("Models", ["branch", *_OF_MODEL, "temperature"], rows)
    yield html.table("Labels, folded", ["the data's", "scored as"], data["folding"].items())
    if data["left_out"]:
        yield html.table("Not as in the data", ["what", "rows"], data["left_out"].items())
    yield f"<p>Splits: {escape(data['splits'])}.</p>"


def _temperature(model: dict[str, Any]) -> str:
    fitted = model.get("calibration")
    if not fitted:
        return "1 (not fitted)"
    before, after = fitted["ece_before"], fitted["ece_after"]
    return f"{fitted['temperature']:.3f} ({fitted['judged']}: ECE {before:.3f} → {after:.3f})"


def _part(part: dict[str, Any]) -> Iterator[str]:
    if part["not_answered"]:
        yield html.table("Rows without an answer", ["why", "rows"], part["not_answered"].items())
    for branch in ("text", "audio"):
        if branch in part:
            yield from _branch(branch, part[branch])
    for strategy, found in part.get("fused", {}).items():
        yield f"<h3>Fused 55/45, strategy <code>{strategy}</code></h3>"
        yield from score_tables(found)
    if "coverage_less_weighted" in part:
        yield paired_table("coverage less weighted, both 55/45", part["coverage_less_weighted"])
    if "sweep" in part:
        yield "<h3>The weight of the text</h3>"
        yield from _sweep(part)


def _branch(branch: str, found: dict[str, Any]) -> Iterator[str]:
    limit = found["ceiling_on_all_rows"]
    if "own_emotions" in found:
        yield f"<h3>{branch.capitalize()} alone</h3>"
        if limit["missing"]:
            yield "<p>Rows whose emotion the model can express.</p>"
        yield from score_tables(found["own_emotions"])
    if "all_rows" in found:
        yield f"<h3>{branch.capitalize()} alone, all rows</h3>"
        yield (
            f"<p>The model has no output for {', '.join(limit['missing'])}. Whatever it says there "
            f"is wrong, so no model of its kind gets beyond accuracy {limit['accuracy']:.3f} and "
            f"unweighted recall {limit['unweighted_recall']:.3f} here.</p>"
        )
        yield from score_tables(found["all_rows"])


def _sweep(part: dict[str, Any]) -> Iterator[str]:
    curves = part["sweep"]
    drawn = "".join(plots.sweep(curves, name) for name in (CHOSEN_BY, "accuracy"))
    yield f'<div class="plots">{drawn}</div>'
    for strategy, curve in curves.items():
        rows = [
            [f"{at['weight']:.2f}", *(f"{at[n]:.3f}" for n in MEASURES), f"{at['ceiling']:.3f}"]
            for at in curve
        ]
        caption = (
            f"{strategy}; the ceiling is the accuracy of a text model that is always right and sure"
        )
        made = html.table(caption, ["weight", *WORDS.values(), "ceiling"], rows)
        yield f"<details><summary>{strategy}, all weights</summary>{made}</details>"
    if part["served_fusion_differs_by"] is not None:
        off = part["served_fusion_differs_by"]
        yield f"<p>The served fusion is off these figures' by {off:.1e} at most.</p>"


def _chosen(chosen: dict[str, Any]) -> Iterator[str]:
    yield "<h2>The weight that is best on dev, on test</h2>"
    rows = [
        [name, f"{one['weight']:.2f}", *(html.spread(one["test"][m]) for m in MEASURES)]
        for name, one in chosen.items()
    ]
    words = CHOSEN_BY.replace("_", " ")
    yield html.table(f"Chosen by {words}", ["strategy", "weight", *WORDS.values()], rows)
    for name, one in chosen.items():
        yield paired_table(f"{name}, that weight less the default (weighted, 0.55)", one)


def _compared(compared: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Compared with another version</h2>"
    rows = [
        [branch, *(model.get(name, "") for name in _OF_MODEL), _temperature(model)]
        for branch, model in compared["models"].items()
    ]
    head = ["branch", *_OF_MODEL, "temperature"]
    yield html.table("The other, first in each test", head, rows)
    for name, found in compared["results"].items():
        yield paired_table(f"{name}: these answers less the others'", found)
