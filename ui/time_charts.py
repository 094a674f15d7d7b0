"""Charts over time: each row has its name and figures written out, none needs its colour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

_ROW_HEIGHT_PX = 52
_AXIS_HEIGHT_PX = 40  # the chart's height holds the axis too
_BAND = 0.56  # of a row's height; its name stands above
_STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_LEAST_SLICES = 12
"""Shown at least, so that the first answers of a service are bars and not blocks."""


@dataclass(frozen=True)
class Row:
    """One bar for each slice."""

    name: str
    """What stands above it, its figures included."""
    values: Sequence[float | None]
    """None where there is none."""
    fill: str
    said: Callable[[float], str]
    """A value in words, for who points at its bar."""
    own_scale: bool = False
    """Whether its highest bar is as high as those of all other rows together."""


class Span:
    """The slices that a chart shows, at least one, in milliseconds since 1970."""

    def __init__(self, starts: Sequence[datetime], bucket: str) -> None:
        self.starts = [int(start.timestamp() * 1000) for start in starts]
        self._step_ms = int(_STEPS[bucket].total_seconds() * 1000)
        self._format = "%d %b" if bucket == "day" else "%H:%M"

    def ends(self) -> list[int]:
        """Where the bar of each slice ends: a little before the next one's begins."""
        return [start + int(self._step_ms * 0.9) for start in self.starts]

    def axis(self, color: str) -> alt.X:
        """Return the axis from the first slice to the last, in UTC as the API's slices are."""
        last = self.starts[-1] + self._step_ms
        domain = [min(self.starts[0], last - _LEAST_SLICES * self._step_ms), last]
        return alt.X(
            "start:T",
            title=None,
            scale=alt.Scale(type="utc", domain=domain, nice=False),
            axis=alt.Axis(
                grid=False, labelColor=color, labelOverlap=True, tickCount=4, format=self._format
            ),
        )


def rows(
    title: str, shown: Sequence[Row], span: Span, text_color: str, grid_color: str
) -> alt.LayerChart:
    """Return the rows from top to bottom, at least one; `title` is for screen readers."""
    x = span.axis(text_color)
    y = alt.Y("floor:Q", axis=None, scale=alt.Scale(domain=[-len(shown), 0], nice=False))
    bars = alt.Chart(_bars(shown, span)).mark_rect(stroke=text_color, strokeWidth=0.4)
    tips = [
        alt.Tooltip("name:N", title="row"),
        alt.Tooltip("start:T", title="from (UTC)", format="%d %b %H:%M"),
        alt.Tooltip("said:N", title="value"),
    ]
    heads = alt.Chart(_heads(shown))
    label = heads.mark_text(align="left", fontSize=13, color=text_color, baseline="middle")
    fill = alt.Color("fill:N", scale=None)
    return alt.LayerChart(
        layer=[
            bars.encode(x=x, x2="end:T", y=y, y2="top:Q", color=fill, tooltip=tips),
            heads.mark_rule(color=grid_color).encode(y=y),
            label.encode(x=alt.value(0), y=alt.Y("head:Q"), text="name:N"),
        ],
        height=_ROW_HEIGHT_PX * len(shown) + _AXIS_HEIGHT_PX + 8,
        description=f"{title}: " + "; ".join(row.name for row in shown),
    )


def _bars(shown: Sequence[Row], span: Span) -> pd.DataFrame:
    most = _most([row for row in shown if not row.own_scale])
    columns = ["start", "end", "floor", "top", "said", "name", "fill"]
    bars = [
        (start, end, -at, -at + _BAND * value / (_most([row]) if row.own_scale else most),
         row.said(value), row.name, row.fill)
        for at, row in enumerate(shown, 1)
        for start, end, value in zip(span.starts, span.ends(), row.values, strict=True)
        if value
    ]  # fmt: skip
    return pd.DataFrame(bars, columns=columns)


def _most(shown: Sequence[Row]) -> float:
    return max((value or 0 for row in shown for value in row.values), default=0) or 1


def _heads(shown: Sequence[Row]) -> pd.DataFrame:
    """Return each row's floor, and above its bars the place of its name."""
    heads = [(-at, -at + _BAND + 0.2, row.name) for at, row in enumerate(shown, 1)]
    return pd.DataFrame(heads, columns=["floor", "head", "name"])
