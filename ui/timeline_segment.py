"""One segment of a timeline, chosen to hear and read it; or all of them in a table."""

from collections.abc import Sequence

import streamlit as st

from ui import timeline_words as said
from ui import words
from ui.charts import score_bars
from ui.result import parts
from ui.theme import colors
from ui.timeline_player import mark, play
from ui.timeline_words import Segment, clock

_CHOSEN = "timeline segment"
_MOST_ROWS = 200


def choose(number: int | None) -> None:
    """Have the segment of this number be the chosen one; None is none yet."""
    st.session_state[_CHOSEN] = number


def choose_and_play(number: int) -> None:
    """Have it be heard too; for what a person presses, never by itself."""
    choose(number)
    play()


def ask_segment(segments: Sequence[Segment]) -> Segment:
    """Draw the list, which works without a mouse, and return the segment that is chosen.

    Args:
        segments: what can be chosen, at least one.
    """
    by_number = {one["number"]: one for one in segments}
    if st.session_state.get(_CHOSEN) not in by_number:
        choose(segments[0]["number"])
    number = st.selectbox(
        "Segment to hear and read",
        list(by_number),
        format_func=lambda number: said.line(by_number[number]),
        key=_CHOSEN,
        on_change=play,
        help="A click on its bar in the chart chooses it too.",
    )
    return by_number[number]


def show_segment(one: Segment) -> None:
    """Let people hear and read a segment, and see what was found in it."""
    with st.container(border=True):
        who = f"{one['speaker']}, " if one["speaker"] else ""
        st.markdown(words.escaped(f"{who}{clock(one['start'])} to {clock(one['end'])}"))
        if one["text"]:
            st.markdown(words.escaped(f"“{one['text']}”"))
        mark(one)
        if one["error"]:
            st.warning(
                words.escaped(f"No result: {one['error']['detail']}"), icon=":material/report:"
            )
            return
        result = one["result"]
        st.markdown(f"**{said.headline(one)}**, judged by {words.basis(result)}.")
        _show_charts(one)


def _show_charts(one: Segment) -> None:
    scores = parts(one["result"])
    order = max((list(values) for values in scores.values()), key=lambda names: len(names))
    for column, (title, values) in zip(st.columns(len(scores)), scores.items(), strict=True):
        with column:
            st.markdown(f"**{title}**")
            st.altair_chart(score_bars(title, values, order, colors()), width="stretch")


def show_table(segments: Sequence[Segment]) -> None:
    """Draw the segments as a table, for those who do not see the chart."""
    with st.expander("The segments as a table"):
        st.table([_row(one) for one in segments[:_MOST_ROWS]], hide_index=True)
        if len(segments) > _MOST_ROWS:
            rest = len(segments) - _MOST_ROWS
            st.markdown(f"And {rest:,} more: choose a part above, or download the CSV file.")


def _row(one: Segment) -> dict[str, str]:
    return {
        "From": f"{clock(one['start'])}",
        "To": f"{clock(one['end'])}",
        "Speaker": words.escaped(one["speaker"] or ""),
        "Emotion": said.headline(one),
        "Words": words.escaped(one["text"] or ""),
    }
