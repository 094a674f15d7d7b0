"""The newest predictions as a table, page by page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from ui import history, words
from ui.client import Client
from ui.history import Wanted

_ROWS = 20


def first_page() -> None:
    """Go back to the newest predictions."""
    st.session_state["pages"] = None, [None]


def show_predictions(client: Client, wanted: Wanted, total: int) -> None:
    """Draw the page that the person is at; another question begins at the first one.

    Raises:
        ApiError: the log does not answer.
    """
    asked, cursors = st.session_state.get("pages", (None, [None]))
    if asked != wanted:
        cursors = [None]
        st.session_state["pages"] = wanted, cursors
    page = history.page(client, wanted, cursors[-1], _ROWS)
    first = (len(cursors) - 1) * _ROWS + 1
    st.subheader("Newest predictions", anchor=False)
    st.table([_row(one) for one in page["predictions"]], hide_index=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newer", disabled=len(cursors) == 1, on_click=cursors.pop)
        following = page["next_cursor"]
        st.button("Older", disabled=following is None, on_click=cursors.append, args=[following])
        st.caption(f"{first:,} to {first + len(page['predictions']) - 1:,} of {total:,}")


def _row(one: Mapping[str, Any]) -> dict[str, str]:
    time = datetime.fromisoformat(one["created_at"])
    emotion = words.emotion_name(one["top_emotion"])
    versions = (f"{words.BRANCHES[b]} {m['version']}" for b, m in one["models"].items())
    basis, _, _ = words.MODALITIES.get(one["modality"], one["modality"]).partition(",")
    return {
        "Time (UTC)": f"{time:%d %b %H:%M:%S}",
        "Emotion": f"{emotion}, {words.percent(one['confidence'])}",
        "Judged by": basis + words.left_out(one["degraded"]),
        "Versions": ", ".join(versions),
        "Latency": words.milliseconds(one["latency_ms"]),
    }
