"""The tab to look back: what the service answered, how fast, and how often only by half."""

from datetime import UTC, datetime

import streamlit as st

from ui import export, history, words
from ui.client import Answer, ApiError, Client
from ui.filters import ask_filters
from ui.history import Wanted
from ui.monitor_charts import show_charts
from ui.prediction_table import first_page, show_predictions
from ui.service import show_error


def look_again() -> None:
    """Show the log as it is from now on; called by Refresh, and when Monitor is opened."""
    st.session_state["looked_at"] = datetime.now(UTC)
    first_page()


def show_monitor(client: Client) -> None:
    """Draw the tab; it asks the log when it is opened, filtered or refreshed, never by itself."""
    if "looked_at" not in st.session_state:
        look_again()
    now: datetime = st.session_state["looked_at"]
    st.header("What was answered", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Refresh", icon=":material/refresh:", on_click=look_again)
        st.caption(f"The log as of {now:%d %b %Y, %H:%M:%S}. All times are UTC.")
    try:
        wanted = ask_filters(client, now)
        with st.spinner("Reading the log …"):
            found = history.stats(client, wanted)
        _show(client, wanted, found)
    except ApiError as error:
        show_error(error)


def _show(client: Client, wanted: Wanted, found: Answer) -> None:
    # What a recording comes to is listed beside its segments, but not counted with them.
    apart = 0 if wanted.modality else found.get("recordings", 0)
    if not (listed := found["total"] + apart):
        st.info(_nothing(wanted), icon=":material/info:")
        return
    if found["total"]:
        _show_figures(found)
        show_charts(found)
    show_predictions(client, wanted, listed)
    _show_export(client, wanted, listed)


def _nothing(wanted: Wanted) -> str:
    if wanted == wanted.everything:
        return "No predictions in this time. Analyze something in Try, or choose a longer time."
    return "No predictions match. Choose a longer time, or set a filter back to “All”."


def _show_figures(found: Answer) -> None:
    total, latency = found["total"], found["latency_ms"]
    emotion = max(found["emotions"], key=lambda name: found["emotions"][name])
    figures = {
        "Predictions": f"{total:,}",
        "Degraded": words.share_of(found["degraded"], total),
        "Most often": words.emotion_name(emotion),
        "Half within": words.milliseconds(latency["p50"]),
        "95% within": words.milliseconds(latency["p95"]),
        "99% within": words.milliseconds(latency["p99"]),
    }
    with st.container(horizontal=True):
        for label, value in figures.items():
            st.metric(label, value, width=124)


def _show_export(client: Client, wanted: Wanted, total: int) -> None:
    st.subheader("Export", anchor=False)
    most = export.MOST_ROWS
    if total > most:
        st.warning(
            f"{total:,} predictions match: a file holds the newest {most:,}. For older ones choose "
            "days further back, or page through `/predictions` of the API.",
            icon=":material/content_cut:",
        )
    else:
        st.caption(f"Files of {'the one prediction' if total == 1 else f'all {total:,}'} above.")
    name = f"neurosense-{wanted.until:%Y%m%dT%H%M%SZ}"
    # Callables: the log is read when the button is pressed, not each time the page is drawn.
    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            lambda: export.as_csv(history.newest(client, wanted, most)),
            f"{name}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Download JSON",
            lambda: export.as_json(history.newest(client, wanted, most), wanted.params, total),
            f"{name}.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
