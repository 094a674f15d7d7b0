"""The report's tables and plots of one set of scores."""

from collections.abc import Iterator
from typing import Any

from evaluation import html, plots
from evaluation.metrics import MEASURES

WORDS = {
    "accuracy": "accuracy (= weighted recall)",
    "unweighted_recall": "unweighted average recall",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
}
"""What the measures are called in tables."""

_SPEAKERS_SHOWN = 40


def score_tables(found: dict[str, Any]) -> Iterator[str]:
    """Yield the measures, classes, confusions, plots, groups and speakers of one set of scores."""
    calibration = found["calibration"]
    rows = [[words, html.spread(found[name])] for name, words in WORDS.items()]
    rows += [
        ["expected calibration error", f"{calibration['ece']:.3f}"],
        ["… of a perfectly calibrated model, by chance", _luck(calibration["ece_by_chance"])],
        ["Brier score", f"{calibration['brier']:.3f}"],
        ["log loss (nats)", f"{calibration['log_loss']:.3f}"],
        ["mean confidence", f"{calibration['mean_confidence']:.3f}"],
    ]
    yield html.table(f"{found['rows']} rows, drawn by {found['drawn_by']}", ["", "value"], rows)
    yield _classes(found["classes"])
    yield html.confusion(found["confusion"]["emotions"], found["confusion"]["counts"])
    drawn = plots.reliability(calibration), plots.abstaining(found["abstaining"])
    yield f'<div class="plots">{"".join(drawn)}</div>'
    yield from _abstaining(found["abstaining"])
    yield from _groups(found)


def _luck(by_chance: dict[str, float]) -> str:
    return f"{by_chance['mean']:.3f}, up to {by_chance['percentile_95']:.3f} in 19 of 20 cases"


def _classes(classes: dict[str, dict[str, Any]]) -> str:
    rows = [
        [
            emotion,
            one["rows"],
            one["guessed"],
            *(
                html.spread({"value": one[name], "interval": one[f"{name}_interval"]})
                for name in ("precision", "recall", "f1")
            ),
        ]
        for emotion, one in classes.items()
    ]
    return html.table("By emotion", ["", "rows", "answered", "precision", "recall", "F1"], rows)


def _abstaining(curve: list[dict[str, float]]) -> Iterator[str]:
    rows = [
        [f"{at['confidence']:.3f}", f"{at['kept']:.0%}", f"{at['accuracy']:.3f}"] for at in curve
    ]
    head = ["confidence of at least", "rows that have it", "their accuracy"]
    made = html.table("If the least sure are left out (NEUROSENSE_UNCERTAIN_BELOW)", head, rows)
    yield f"<details><summary>Leaving out the least sure</summary>{made}</details>"


def _groups(found: dict[str, Any]) -> Iterator[str]:
    if groups := found["groups"]:
        yield _of_people("By group", groups)
    if speakers := found["speakers"]:
        shown = sorted(speakers.items(), key=lambda pair: -pair[1]["rows"])[:_SPEAKERS_SHOWN]
        caption = f"By speaker ({len(shown)} of {len(speakers)}, those with most rows)"
        made = _of_people(caption, dict(shown))
        yield f"<details><summary>By speaker</summary>{made}</details>"


def _of_people(caption: str, found: dict[str, dict[str, Any]]) -> str:
    rows = [
        [name, one["rows"], one["speakers"], one["drawn_by"]]
        + [
            html.spread({"value": one[measure], "interval": one["intervals"][measure]})
            for measure in MEASURES
        ]
        for name, one in found.items()
    ]
    return html.table(caption, ["", "rows", "speakers", "drawn by", *WORDS.values()], rows)


def changed_table(found: dict[str, dict[str, float]]) -> str:
    """Return the scores by change, and what each costs, as a table."""
    shown = [name for name in MEASURES if name in next(iter(found.values()))]
    first = next(iter(found.values()))["unweighted_recall"]
    rows = [
        [
            name,
            int(one["rows"]),
            *(f"{one[measure]:.3f}" for measure in shown),
            f"{one['unweighted_recall'] - first:+.3f}",
        ]
        for name, one in found.items()
    ]
    head = ["", "rows", *(WORDS[name] for name in shown), "UAR less unchanged"]
    return html.table("Every row changed in one way at a time", head, rows)


def paired_table(caption: str, one: dict[str, Any]) -> str:
    """Return the paired tests of two sets of answers as a table."""
    found = one.get("against_default", one)
    rows = [[words, *_difference(found[name])] for name, words in WORDS.items()]
    test = found["mcnemar"]
    rows.append(
        [
            f"McNemar: only the first right {test['only_first_right']}, "
            f"only the second {test['only_second_right']}",
            "",
            f"{test['p']:.3g}",
        ]
    )
    return html.table(f"{caption}; {found['rows']} rows", ["", "difference", "p"], rows)


def _difference(found: dict[str, Any]) -> tuple[str, str]:
    low, high = found["interval"]
    return f"{found['difference']:+.3f} ({low:+.3f} to {high:+.3f})", f"{found['p']:.3g}"
