"""Emotion scores as bars, each with its name and its percentage written out."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from ui.theme import EMOTION_FILLS
from ui.words import emotion_name, percent

_ROW_HEIGHT_PX = 30
# Room for "100%" beside the track of a bar.
_DOMAIN = (0.0, 1.2)


def score_bars(
    title: str, scores: Mapping[str, float], order: Sequence[str], colors: Mapping[str, str]
) -> alt.LayerChart:
    """Return one bar for each emotion of `order`, on a track that is 100 % long.

    Those that `scores` lacks have no track, and say so.

    Args:
        title: what a screen reader calls the chart.
        scores: emotion to share of 1.
        order: the emotions from top to bottom, the same for charts side by side.
        colors: `track` and `text`.
    """
    rows = pd.DataFrame([_row(emotion, scores) for emotion in order])
    base = alt.Chart().encode(
        y=alt.Y("emotion:N", sort=None, title=None, axis=_axis(colors["text"])),
        x=_x("share:Q"),
        tooltip=[alt.Tooltip("emotion:N", title="emotion"), alt.Tooltip("label:N", title="share")],
    )
    tracks = base.mark_bar(cornerRadius=3, height=18, color=colors["track"]).encode(x=_x("track:Q"))
    bars = base.mark_bar(cornerRadius=3, height=18, stroke=colors["text"]).encode(
        color=alt.Color("fill:N", scale=None),
        # The outline of nothing would be a line.
        strokeWidth=alt.condition("datum.share > 0", alt.value(0.6), alt.value(0)),
    )
    labels = base.mark_text(
        align="left",
        dx=7,
        fontSize=13,
        color=colors["text"],
        fontWeight=alt.expr("datum.top ? 700 : 400"),
    )
    return alt.LayerChart(
        data=rows,
        layer=[tracks, bars, labels.encode(x=_x("track:Q"), text="label:N")],
        height=_ROW_HEIGHT_PX * len(rows),
        description=_description(title, scores),
    )


def _x(field: str) -> alt.X:
    return alt.X(field, title=None, axis=None, scale=alt.Scale(domain=_DOMAIN))


def _axis(color: str) -> alt.Axis:
    return alt.Axis(
        ticks=False, domain=False, labelPadding=8, labelFontSize=13, labelColor=color, minExtent=64
    )


def _row(emotion: str, scores: Mapping[str, float]) -> dict[str, object]:
    known = emotion in scores
    return {
        "emotion": emotion_name(emotion),
        "share": scores.get(emotion, 0.0),
        "track": 1.0 if known else 0.0,
        "fill": EMOTION_FILLS.get(emotion, EMOTION_FILLS["NEUTRAL"]),
        "label": percent(scores[emotion]) if known else "not covered",
        "top": known and scores[emotion] == max(scores.values()),
    }


def _description(title: str, scores: Mapping[str, float]) -> str:
    said = ", ".join(f"{emotion_name(e)} {percent(s)}" for e, s in scores.items())
    return f"{title}: {said}"
