"""The tab for long recordings: emotions over time, with the words or from the voice alone."""

import math
from pathlib import Path

import streamlit as st

from ui import timeline_result as result
from ui import timeline_segment as segment
from ui import words
from ui.client import Client
from ui.service import show_error
from ui.settings import Settings
from ui.theme import colors
from ui.timeline_charts import MOST_BARS, SELECTED, timeline
from ui.timeline_parts import Part
from ui.timeline_player import show_player
from ui.timeline_request import Request, ask_request
from ui.timeline_run import Run, while_looked_at
from ui.timeline_words import progress

_RUN, _CHART = "timeline run", "timeline chart"
_LOOK_EVERY_S = 1.0
_LONG_S = 300.0
"""What is longer can be shown in parts."""


def show_timeline(client: Client, settings: Settings) -> None:
    """Draw the inputs and the buttons, then what is under way or the last result."""
    if (request := ask_request(settings)) is not None:
        _start(client, request)
    run: Run | None = st.session_state.get(_RUN)
    if run is not None and run.under_way:
        _watch()
    elif run is not None:
        _show_outcome(run)


def _start(client: Client, request: Request) -> None:
    if last := st.session_state.get(_RUN):
        last.stop()
    segment.choose(None)
    st.session_state[_RUN] = Run(client, request, while_looked_at())


@st.fragment(run_every=_LOOK_EVERY_S)  # type: ignore[untyped-decorator]
def _watch() -> None:
    """Draw how far it is, once a second; the whole page when it is done."""
    run: Run = st.session_state[_RUN]
    said, share = progress(run.progress)
    st.progress(share, said)
    st.button("Stop", on_click=run.stop)
    if segments := list(run.segments):
        peaks = run.waveform
        part = Part(0.0, len(peaks["peaks"]) * peaks["step_s"])
        st.altair_chart(timeline(segments, peaks, part, None, colors()), width="stretch")
    if not run.under_way:
        st.rerun()


def _show_outcome(run: Run) -> None:
    if run.error is not None:
        show_error(run.error)
    elif run.stopped:
        done = f"{len(run.segments):,} segments were judged; the rest was dropped."
        st.info(f"Stopped: {done} Press {run.request.button} to start again.")
    else:
        st.caption(f"Result for {words.escaped(run.request.recording.name)}")
        result.show_headline(run.answer)
        show_player(run.request.recording)
        _show_segments()


@st.fragment  # type: ignore[untyped-decorator]
def _show_segments() -> None:
    run: Run = st.session_state[_RUN]
    answer = run.answer
    part = _ask_part(answer["duration_s"])
    shown = part.of(answer["segments"])
    if not shown:
        st.info("Nothing is said in this part: choose a longer one.")
        return
    if len(shown) > MOST_BARS:
        st.markdown("Neighbouring segments share a bar: a shorter part shows each by itself.")
    place = st.container()  # Above the list, though it frames what is chosen there.
    chosen = segment.ask_segment(shown)
    with place:
        _show_chart(run, part, chosen["number"])
    segment.show_segment(chosen)
    segment.show_table(shown)
    result.show_shifts(answer, shown)
    result.show_speakers(answer)
    result.show_files(answer, Path(run.request.recording.name).stem)
    result.show_origin(answer)


def _ask_part(duration_s: float) -> Part:
    minutes = math.ceil(duration_s / 60)
    if duration_s < _LONG_S:
        return Part(0.0, duration_s)
    first, last = st.slider("Part shown, in minutes", 0, minutes, (0, minutes))
    return Part(first * 60.0, min(duration_s, max(last, first + 1) * 60.0))


def _show_chart(run: Run, part: Part, chosen: int) -> None:
    chart = timeline(run.answer["segments"], run.waveform, part, chosen, colors())
    st.altair_chart(chart, width="stretch", key=_CHART, on_select=_choose_clicked)


def _choose_clicked() -> None:
    clicked = st.session_state[_CHART]["selection"][SELECTED]
    if clicked:
        segment.choose_and_play(clicked[0]["number"])
