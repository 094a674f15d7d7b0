"""Charts over time: each row has its name and figures written out, none needs its colour."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

_ROW_HEIGHT_PX = 52
_AXIS_HEIGHT_PX = 40  # the chart's height holds the axis too
_BAND = 0.56  # of a row's height; its name stands above
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}

Series = Mapping[str, Sequence[float | None]]
"""The name of a row, and its value in each slice; None where there is none."""


class Span:
    """The slices that a chart shows, and the time around them, in milliseconds since 1970."""

    def __init__(self, starts: Sequence[datetime], until: datetime, bucket: str) -> None:
        self.starts = [_ms(start) for start in starts]
        self._step_ms = int(_STEPS[bucket].total_seconds() * 1000)
        self._until_ms = _ms(until)
        self._format = "%d %b" if bucket == "day" else "%H:%M"

    def ends(self) -> list[int]:
        """Where the bar of each slice ends: a little before the next one's begins."""
        return [start + int(self._step_ms * 0.9) for start in self.starts]

    def axis(self, since: datetime, color: str) -> alt.X:
        """Return the axis from `since` on, in UTC as the API's slices are."""
        first = _ms(since) // self._step_ms * self._step_ms
        domain = [first, max(self._until_ms, first + self._step_ms)]
        return alt.X(
            "start:T",
            title=None,
            scale=alt.Scale(type="utc", domain=domain, nice=False),
            axis=alt.Axis(
                grid=False, labelColor=color, labelOverlap=True, tickCount=4, format=self._format
            ),
        )


def rows(
    title: str,
    series: Series,
    names: Mapping[str, str],
    span: Span,
    x: alt.X,
    colors: Mapping[str, str],
) -> alt.LayerChart:
    """Return a row of bars for each series, all to the same scale.

    Args:
        title: what a screen reader calls the chart.
        series: the rows from top to bottom, at least one.
        names: what stands above each row, its total included.
        span: the slices.
        x: its axis.
        colors: `bar`, `text` and `grid`.
    """
    y = alt.Y("floor:Q", axis=None, scale=alt.Scale(domain=[-len(series), 0], nice=False))
    bars = alt.Chart(_bars(series, names, span)).mark_rect(color=colors["bar"])
    tips = [
        alt.Tooltip("name:N", title="row"),
        alt.Tooltip("start:T", title="from (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("value:Q", title="value", format=",.4~"),
    ]
    heads = alt.Chart(_heads(names[name] for name in series))
    label = heads.mark_text(align="left", fontSize=13, color=colors["text"], baseline="middle")
    return alt.LayerChart(
        layer=[
            bars.encode(x=x, x2="end:T", y=y, y2="top:Q", tooltip=tips),
            heads.mark_rule(color=colors["grid"]).encode(y=y),
            label.encode(x=alt.value(0), y=alt.Y("head:Q"), text="name:N"),
        ],
        height=_ROW_HEIGHT_PX * len(series) + _AXIS_HEIGHT_PX + 8,
        description=f"{title}: " + "; ".join(names[name] for name in series),
    )


def _bars(series: Series, names: Mapping[str, str], span: Span) -> pd.DataFrame:
    most = max((value or 0 for values in series.values() for value in values), default=0) or 1
    columns = ["start", "end", "floor", "top", "value", "name"]
    bars = [
        (start, end, -row, -row + _BAND * (value or 0) / most, value or 0, names[name])
        for row, (name, values) in enumerate(series.items(), 1)
        for start, end, value in zip(span.starts, span.ends(), values, strict=True)
    ]
    return pd.DataFrame(bars, columns=columns)


def _heads(names: Iterable[str]) -> pd.DataFrame:
    """Return each row's floor, and above its bars the place of its name."""
    heads = [(-row, -row + _BAND + 0.2, name) for row, name in enumerate(names, 1)]
    return pd.DataFrame(heads, columns=["floor", "head", "name"])


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
