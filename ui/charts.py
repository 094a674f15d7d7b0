"""Emotion scores as bars, each with its name and its percentage written out."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from ui.words import emotion_name, percent

_ROW_HEIGHT_PX = 30
# Room for "100%" beside the longest bar.
_DOMAIN = (0.0, 1.22)


def score_bars(
    title: str, scores: Mapping[str, float], order: Sequence[str], colors: Mapping[str, str]
) -> alt.LayerChart:
    """Return one bar for each emotion of `order`; those that `scores` lacks say so.

    Args:
        title: what a screen reader calls the chart.
        scores: emotion to share of 1.
        order: the emotions from top to bottom, the same for charts side by side.
        colors: `bar`, `rest` and `text`.
    """
    rows = pd.DataFrame([_row(emotion, scores) for emotion in order])
    base = alt.Chart().encode(
        y=alt.Y("emotion:N", sort=None, title=None, axis=_axis(colors["text"])),
        x=alt.X("share:Q", title=None, axis=None, scale=alt.Scale(domain=_DOMAIN)),
        tooltip=[alt.Tooltip("emotion:N", title="emotion"), alt.Tooltip("label:N", title="share")],
    )
    color = alt.condition("datum.top", alt.value(colors["bar"]), alt.value(colors["rest"]))
    bars = base.mark_bar(cornerRadius=3, height=18).encode(color=color)
    labels = base.mark_text(align="left", dx=6, fontSize=13, color=colors["text"])
    return alt.LayerChart(
        data=rows,
        layer=[bars, labels.encode(text="label:N")],
        height=_ROW_HEIGHT_PX * len(rows),
        description=_description(title, scores),
    )


def _axis(color: str) -> alt.Axis:
    return alt.Axis(
        ticks=False, domain=False, labelPadding=8, labelFontSize=13, labelColor=color, minExtent=72
    )


def _row(emotion: str, scores: Mapping[str, float]) -> dict[str, object]:
    known = emotion in scores
    return {
        "emotion": emotion_name(emotion),
        "share": scores.get(emotion, 0.0),
        "label": percent(scores[emotion]) if known else "not covered",
        "top": known and scores[emotion] == max(scores.values()),
    }


def _description(title: str, scores: Mapping[str, float]) -> str:
    said = ", ".join(f"{emotion_name(e)} {percent(s)}" for e, s in scores.items())
    return f"{title}: {said}"
