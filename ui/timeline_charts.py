"""A recording's emotions as bands over time, and its waveform above them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from ui.timeline_parts import FROM_TOP, Part, grouped, stacked, tip
from ui.timeline_words import Segment, headline
from ui.words import emotion_name

SELECTED = "segment"
"""What the chart calls the segment that was clicked: a list of rows with its `number`."""

MOST_BARS = 240
"""More would be too narrow to see, and slow to draw."""

# Paul Tol's light scheme, told apart by the colour-blind, with dark letters on each
# (https://personal.sron.nl/~pault/).
_FILLS = ("#EEDD88", "#99DDFF", "#DDDDDD", "#FFAABB", "#77AADD", "#44BB99", "#EE8866")
_LETTERS = "#1c2733"
_LEAST_LETTERED = 0.03
"""Of the time shown: narrower bands have no letters."""

_WAVE_MIDDLE, _WAVE_HEIGHT = 1.3, 0.24
_SECONDS = "floor(datum.value / 60) + ':' + format(datum.value % 60, '02d')"


def timeline(
    segments: Sequence[Segment],
    waveform: Mapping[str, Any],
    part: Part,
    chosen: int | None,
    colors: Mapping[str, str],
) -> alt.LayerChart:
    """Return the waveform, and below it a bar for each segment: its emotions from joy to anger.

    Where there are more than `MOST_BARS`, neighbours share one, with the mean of their scores.

    Args:
        segments: at least one, as the API gives them.
        waveform: `peaks` from 0 to 1, one for each `step_s`.
        part: what to show.
        chosen: the number of the segment to frame.
        colors: `bar`, `text` and `grid`.
    """
    groups = grouped(part.of(segments), MOST_BARS)
    x = alt.X("start:Q", title=None, scale=alt.Scale(domain=[part.start_s, part.end_s], nice=False),
              axis=_axis(colors["text"]))  # fmt: skip
    y = alt.Y("floor:Q", axis=None, scale=alt.Scale(domain=[0, 1.56], nice=False))
    layers = [
        _wave(waveform, part, colors).encode(x=x, y=y, y2="top:Q"),
        _bands(groups, colors).encode(x=x, x2="end:Q", y=y, y2="top:Q"),
        _letters(groups, part).encode(x=x, y=y),
        _frame([one for one in segments if one["number"] == chosen], colors).encode(
            x=x, x2="end:Q", y=y, y2="top:Q"
        ),
        _click(groups).encode(x=x, x2="end:Q", y=y, y2="top:Q"),
    ]
    return alt.LayerChart(layer=layers, height=300, description=_description(segments))


def _axis(color: str) -> alt.Axis:
    return alt.Axis(grid=False, labelColor=color, labelExpr=_SECONDS, labelOverlap=True,
                    tickCount=6, tickMinStep=1)  # fmt: skip


def _wave(waveform: Mapping[str, Any], part: Part, colors: Mapping[str, str]) -> alt.Chart:
    times = ((n * waveform["step_s"], peak) for n, peak in enumerate(waveform["peaks"]))
    rows = [
        (time_s, _WAVE_MIDDLE - peak * _WAVE_HEIGHT, _WAVE_MIDDLE + peak * _WAVE_HEIGHT)
        for time_s, peak in times
        if part.start_s <= time_s <= part.end_s
    ]
    data = pd.DataFrame(rows, columns=["start", "floor", "top"])
    drawn: alt.Chart = alt.Chart(data).mark_area(color=colors["bar"], clip=True, aria=False)
    return drawn


def _bands(groups: Sequence[Sequence[Segment]], colors: Mapping[str, str]) -> alt.Chart:
    rows = [
        (group[0]["start"], group[-1]["end"], *band) for group in groups for band in stacked(group)
    ]
    data = pd.DataFrame(rows, columns=["start", "end", "floor", "top", "emotion"])
    names = [emotion_name(emotion) for emotion in FROM_TOP]
    legend = alt.Legend(title=None, orient="bottom", columns=4, labelFontSize=13,
                        symbolType="square", symbolStrokeWidth=0.4,
                        symbolStrokeColor=colors["text"], labelColor=colors["text"])  # fmt: skip
    fill = alt.Color("emotion:N", legend=legend, scale=alt.Scale(domain=names, range=_FILLS))
    chart = alt.Chart(data).mark_rect(stroke=colors["text"], strokeWidth=0.4, clip=True, aria=False)
    drawn: alt.Chart = chart.encode(color=fill)
    return drawn


def _letters(groups: Sequence[Sequence[Segment]], part: Part) -> alt.Chart:
    """Write the first letters of the largest band, so that it is known without its colour."""
    wide = (part.end_s - part.start_s) * _LEAST_LETTERED
    rows = []
    for group in groups:
        start_s, end_s = group[0]["start"], group[-1]["end"]
        if end_s - start_s >= wide and (bands := list(stacked(group))):
            floor, top, name = max(bands, key=lambda band: band[1] - band[0])
            rows.append(((start_s + end_s) / 2, (floor + top) / 2, name[:2]))
    data = pd.DataFrame(rows, columns=["start", "floor", "letters"])
    text = alt.Chart(data).mark_text(color=_LETTERS, fontSize=12, clip=True, aria=False)
    drawn: alt.Chart = text.encode(text="letters:N")
    return drawn


def _frame(chosen: Sequence[Segment], colors: Mapping[str, str]) -> alt.Chart:
    rows = [(one["start"], one["end"], 0.0, 1.0) for one in chosen]
    data = pd.DataFrame(rows, columns=["start", "end", "floor", "top"])
    drawn: alt.Chart = alt.Chart(data).mark_rect(
        filled=False, stroke=colors["text"], strokeWidth=3, clip=True, aria=False
    )
    return drawn


def _click(groups: Sequence[Sequence[Segment]]) -> alt.Chart:
    """Cover each bar, its waveform included, with what can be clicked and tells what it is."""
    rows = [
        (group[0]["start"], group[-1]["end"], 0.0, 1.56, group[0]["number"], tip(group))
        for group in groups
    ]
    columns = ["start", "end", "floor", "top", "number", "tip"]
    cover = alt.Chart(pd.DataFrame(rows, columns=columns)).mark_rect(
        opacity=0, clip=True, aria=False, cursor="pointer"
    )
    select = alt.selection_point(name=SELECTED, fields=["number"], empty=False)
    drawn: alt.Chart = cover.encode(tooltip=alt.Tooltip("tip:N", title="segment"))
    return drawn.add_params(select)


def _description(segments: Sequence[Segment]) -> str:
    """Say it for those who do not see it: the emotions in order, repeats once."""
    named = (headline(one).partition(",")[0] for one in segments)
    order = [name for name, _ in itertools.groupby(named)]
    said = ", ".join(order[:30]) + (" …" if len(order) > 30 else "")
    return f"Emotions over time, {len(segments)} segments: {said}. A table below has them all."
