"""The whole recording once on the page; the segments are heard by going there in it."""

from pathlib import Path

import streamlit as st

from ui.client import Clip
from ui.timeline_words import Segment

_SCRIPT = Path(__file__).with_name("player.html")
_PLAYS = "timeline plays"


def play() -> None:
    """Have the segment that is chosen be heard; for what a person presses, never by itself."""
    st.session_state[_PLAYS] = st.session_state.get(_PLAYS, 0) + 1


def show_player(recording: Clip) -> None:
    """Draw it, and its script; outside of what is drawn again for each segment."""
    with st.container(key="recording"):
        st.audio(recording.content, format=recording.media_type)
    # The file is ours and nothing that people type is in it.
    st.html(_SCRIPT, unsafe_allow_javascript=True)


def mark(one: Segment) -> None:
    """Tell the script which segment is chosen: its times, and how often something was pressed."""
    times = f'data-from="{one["start"]:.3f}" data-until="{one["end"]:.3f}"'
    st.html(f'<span {times} data-plays="{st.session_state.get(_PLAYS, 0):d}"></span>')
