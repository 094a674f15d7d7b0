"""The timeline as a whole: in words, per speaker, where it changes, and as files."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ui import timeline_export, words
from ui import timeline_words as said
from ui.charts import score_bars
from ui.client import Answer
from ui.theme import colors
from ui.timeline_segment import choose_and_play
from ui.timeline_words import Segment, clock

_MOST_CHARTS = 4
"""Speakers with a chart of their own, those who speak longest; the table has all."""
_MOST_LISTED = 10


def show_headline(answer: Answer) -> None:
    """Say what the recording comes to, what was done to its transcript, and what went wrong."""
    overall, segments = answer["overall"], answer["segments"]
    emotion = words.emotion_name(overall["top_emotion"])
    title = f"{emotion}, {words.percent(overall['confidence'])} overall"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="content")
        if mark := said.starter_mark(segments):
            st.badge(mark, icon=":material/warning:", color="yellow")
    count = f"{len(segments):,} segment{'s' * (len(segments) != 1)}"
    st.markdown(f"{clock(answer['duration_s'])} of sound, {count}, weighted by their length.")
    st.info(said.alignment(answer["alignment"]), icon=":material/align_horizontal_left:")
    _warn("Not all of it was judged by both", list(said.problems(segments)))
    _warn("The transcript was repaired", answer["repairs"])


def _warn(title: str, lines: list[str]) -> None:
    if not lines:
        return
    with st.expander(f"{title} ({len(lines):,})", icon=":material/report:", expanded=True):
        for one in lines[:_MOST_LISTED]:
            st.text(one)
        if len(lines) > _MOST_LISTED:
            st.markdown(f"And {len(lines) - _MOST_LISTED:,} more: the JSON file has them.")


def show_shifts(answer: Answer, shown: Sequence[Segment]) -> None:
    """List the strongest changes; each is a button that goes there, where that is shown."""
    if not answer["shifts"]:
        return
    st.subheader("Strongest shifts", anchor=False)
    with st.container(horizontal=True):
        for found in answer["shifts"]:
            after = found["after"]
            st.button(
                said.shift(found),
                key=f"shift {after}",
                on_click=choose_and_play,
                args=[after],
                disabled=all(one["number"] != after for one in shown),
            )


def show_speakers(answer: Answer) -> None:
    """Draw the overall scores, and those of each speaker."""
    speakers: Mapping[str, Any] = answer["speakers"]
    longest = sorted(speakers, key=lambda name: -speakers[name]["seconds"])
    st.subheader("Overall and per speaker" if speakers else "Overall", anchor=False)
    scores = {"Overall": answer["overall"]["all_scores"]}
    scores |= {_title(n, speakers[n]): speakers[n]["all_scores"] for n in longest}
    order = list(scores["Overall"])
    shown = list(scores.items())[: _MOST_CHARTS + 1]
    with st.container(horizontal=True):
        for title, values in shown:
            with st.container(border=True, width=264):
                st.text(title)
                st.altair_chart(score_bars(title, values, order, colors()), width="stretch")
    with st.expander("The same figures as a table"):
        st.table([_line(*item, order) for item in scores.items()], hide_index=True)


def _title(name: str, speaker: Answer) -> str:
    return f"{name}, {clock(speaker['seconds'])}"


def _line(title: str, scores: Mapping[str, float], order: list[str]) -> dict[str, str]:
    shares = {words.emotion_name(e): words.percent(scores.get(e, 0.0)) for e in order}
    return {"Who": words.escaped(title), **shares}


def show_origin(answer: Answer) -> None:
    """Name the weights that answered."""
    took = f"Answered in {words.milliseconds(answer['latency_ms'])}"
    lines = [*said.models(answer["segments"]), f"{took}. Number in the log: {answer['id']}"]
    st.caption("  \n".join(lines))


def show_files(answer: Answer, name: str) -> None:
    """Offer the timeline as files."""
    st.subheader("Export", anchor=False)
    segments = answer["segments"]
    files = {
        "CSV": (lambda: timeline_export.as_csv(segments), "csv", "text/csv"),
        "JSON": (lambda: timeline_export.as_json(answer), "json", "application/json"),
        "WebVTT": (lambda: timeline_export.as_vtt(segments), "vtt", "text/vtt"),
    }
    # Callables: a file is made when its button is pressed, not each time the page is drawn.
    with st.container(horizontal=True):
        for kind, (made, ending, media_type) in files.items():
            st.download_button(
                f"Download {kind}",
                made,
                f"{name}-emotions.{ending}",
                media_type,
                icon=":material/download:",
                on_click="ignore",
            )
