"""A recording over time: its waveform, below it the emotions as bands, below these who speaks."""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd  # type: ignore[import-untyped]

from ui.theme import EMOTION_FILLS, LETTERS_ON_FILLS
from ui.timeline_parts import Part, grouped, lanes, stacked, tip
from ui.timeline_words import Segment, clock, headline
from ui.words import emotion_name

SELECTED = "segment"
"""What the chart calls the segment that was clicked: a list of rows with its `number`."""

MOST_BARS = 240
"""More would be too narrow to see, and slow to draw."""

_HEIGHT_PX, _LANE_HEIGHT_PX = 340, 24
_TOP, _WAVE_MIDDLE, _WAVE_HEIGHT = 1.44, 1.24, 0.2
_LANE, _GAP = 0.12, 0.08
_MOST_LANES = 6
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS = 6

# A name is written across a band or up it, where there is room; read by Vega for each band.
_WIDE = "(scale('x', datum.right) - scale('x', datum.left))"
_HIGH = "(scale('y', datum.low) - scale('y', datum.high))"
_LONG = "(length(datum.emotion) * 7 + 6)"
_ACROSS = f"({_WIDE} >= {_LONG} && {_HIGH} >= 15)"
_UP = f"({_WIDE} >= 15 && {_HIGH} >= {_LONG})"

Colors = Mapping[str, str]
Groups = Sequence[Sequence[Segment]]


def timeline(
    segments: Sequence[Segment],
    waveform: Mapping[str, Any],
    part: Part,
    chosen: int | None,
    colors: Colors,
) -> alt.LayerChart:
    """Return the waveform, a bar of emotions from joy to anger for each segment, and who speaks.

    Where there are more than `MOST_BARS`, neighbours share one, with the mean of their scores.

    Args:
        segments: at least one, as the API gives them.
        waveform: `peaks` from 0 to 1, one for each `step_s`.
        part: what to show.
        chosen: the number of the segment to frame.
        colors: `bar`, `text` and `grid`.
    """
    groups = grouped(part.of(segments), MOST_BARS)
    speakers = lanes(segments, _MOST_LANES)
    depth = _GAP + _LANE * len(speakers) if speakers else 0
    x = alt.X("start:Q", title=None, axis=_time_axis(part, colors["text"]),
              scale=alt.Scale(domain=[part.start_s, part.end_s], nice=False))  # fmt: skip
    y = alt.Y("floor:Q", axis=_names_axis(list(speakers), colors["text"]), title=None,
              scale=alt.Scale(domain=[-depth, _TOP], nice=False))  # fmt: skip
    ends: dict[str, Any] = {"x": x, "x2": "end:Q", "y": y, "y2": "top:Q"}
    bands = _bands(groups)
    layers = [
        _wave(waveform, part, colors).encode(x=x, y=y, y2="top:Q"),
        _speech(speakers, part, colors).encode(**ends),
        _filled(bands, colors).encode(**ends),
        _named(bands).encode(x=x, y=y),
        _frame([one for one in segments if one["number"] == chosen], colors).encode(**ends),
        _click(groups, depth).encode(**ends),
    ]
    height = _HEIGHT_PX + _LANE_HEIGHT_PX * len(speakers)
    return alt.LayerChart(
        layer=layers,
        height=height,
        padding={"left": 0, "top": 5, "right": 10, "bottom": 5},
        description=_description(segments),
    )


def _time_axis(part: Part, color: str) -> alt.Axis:
    """Return an axis whose last label is where the part ends."""
    length_s = part.end_s - part.start_s
    step_s = next((s for s in _STEPS_S if length_s / s <= _MOST_TICKS), 2 * _STEPS_S[-1])
    regular = range(int(part.start_s), int(part.end_s) + 1, step_s)
    ticks = [*(tick for tick in regular if part.end_s - tick > step_s / 2), part.end_s]
    labels = json.dumps([clock(tick) for tick in ticks])
    index = f"indexof({json.dumps(ticks)}, datum.value)"
    # In the middle of its place the last one would be cut off.
    is_last = {"test": f"{index} == {len(ticks) - 1}", "value": "right"}
    align = {"condition": is_last, "value": "center"}
    return alt.Axis(grid=False, labelColor=color, values=ticks, labelExpr=f"{labels}[{index}]",
                    labelAlign=align, labelFlush=False, labelOverlap=False)  # fmt: skip


def _names_axis(names: Sequence[str], color: str) -> alt.Axis | None:
    """Return the speakers' names beside their lanes."""
    if not names:
        return None
    places = [round(-_GAP - _LANE * (lane + 0.5), 3) for lane in range(len(names))]
    index = f"indexof({json.dumps(places)}, datum.value)"
    return alt.Axis(grid=False, domain=False, ticks=False, labelColor=color, labelLimit=72,
                    labelFontSize=13, values=places, labelExpr=f"{json.dumps(names)}[{index}]",
                    labelOverlap=False)  # fmt: skip


def _wave(waveform: Mapping[str, Any], part: Part, colors: Colors) -> alt.Chart:
    times = ((n * waveform["step_s"], peak) for n, peak in enumerate(waveform["peaks"]))
    rows = [
        (time_s, _WAVE_MIDDLE - peak * _WAVE_HEIGHT, _WAVE_MIDDLE + peak * _WAVE_HEIGHT)
        for time_s, peak in times
        if part.start_s <= time_s <= part.end_s
    ]
    data = pd.DataFrame(rows, columns=["start", "floor", "top"])
    drawn: alt.Chart = alt.Chart(data).mark_area(color=colors["bar"], clip=True, aria=False)
    return drawn


def _speech(speakers: Mapping[str, Sequence[Segment]], part: Part, colors: Colors) -> alt.Chart:
    rows = [
        (one["start"], one["end"], -_GAP - _LANE * (lane + 0.8), -_GAP - _LANE * (lane + 0.2))
        for lane, said in enumerate(speakers.values())
        for one in part.of(said)
    ]
    data = pd.DataFrame(rows, columns=["start", "end", "floor", "top"])
    drawn: alt.Chart = alt.Chart(data).mark_rect(color=colors["bar"], clip=True, aria=False)
    return drawn


def _bands(groups: Groups) -> pd.DataFrame:
    rows = [
        (group[0]["start"], group[-1]["end"], *band) for group in groups for band in stacked(group)
    ]
    return pd.DataFrame(rows, columns=["start", "end", "floor", "top", "emotion"])


def _filled(bands: pd.DataFrame, colors: Colors) -> alt.Chart:
    names = [emotion_name(emotion) for emotion in EMOTION_FILLS]
    legend = alt.Legend(title=None, orient="bottom", columns=4, labelFontSize=13,
                        symbolType="square", symbolStrokeWidth=0.4,
                        symbolStrokeColor=colors["text"], labelColor=colors["text"])  # fmt: skip
    scale = alt.Scale(domain=names, range=list(EMOTION_FILLS.values()))
    chart = alt.Chart(bands).mark_rect(
        stroke=colors["text"], strokeWidth=0.4, clip=True, aria=False
    )
    drawn: alt.Chart = chart.encode(color=alt.Color("emotion:N", legend=legend, scale=scale))
    return drawn


def _named(bands: pd.DataFrame) -> alt.Chart:
    """Write each band's emotion in it where it fits, so that it is known without its colour."""
    names = {"start": "left", "end": "right", "floor": "low", "top": "high"}
    centres = bands.rename(columns=names).assign(
        start=(bands["start"] + bands["end"]) / 2, floor=(bands["floor"] + bands["top"]) / 2
    )
    text = alt.Chart(centres).mark_text(
        color=LETTERS_ON_FILLS,
        fontSize=12,
        baseline="middle",
        clip=True,
        aria=False,
        angle=alt.expr(f"{_ACROSS} ? 0 : 270"),
        opacity=alt.expr(f"{_ACROSS} || {_UP} ? 1 : 0"),
    )
    drawn: alt.Chart = text.encode(text="emotion:N")
    return drawn


def _frame(chosen: Sequence[Segment], colors: Colors) -> alt.Chart:
    rows = [(one["start"], one["end"], 0.0, 1.0) for one in chosen]
    data = pd.DataFrame(rows, columns=["start", "end", "floor", "top"])
    drawn: alt.Chart = alt.Chart(data).mark_rect(
        filled=False, stroke=colors["text"], strokeWidth=3, clip=True, aria=False
    )
    return drawn


def _click(groups: Groups, depth: float) -> alt.Chart:
    """Cover each bar and all above and below with what can be clicked and tells what it is."""
    rows = [
        (group[0]["start"], group[-1]["end"], -depth, _TOP, group[0]["number"], tip(group))
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
