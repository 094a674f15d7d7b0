"""The page: try the service on a sentence or a recording, and see what it answered before.

Run with `streamlit run ui/app.py`; the API's address is NEUROSENSE_API_URL.
"""

from pathlib import Path

import streamlit as st
from pydantic import ValidationError

from ui import monitor
from ui.client import Client
from ui.service import show_service
from ui.settings import Settings, explained
from ui.timeline import show_timeline
from ui.try_page import show_try

# A file of ours: Streamlit would fetch a named icon from a font server.
_ICON = Path(__file__).with_name("icon.svg")
# Lines longer than this are hard to read, and the charts need no more.
_STYLE = """<style>
.stMainBlockContainer{max-width:62rem;padding-top:2.5rem}
/* White is too faint on the dark theme's own primary colour, hovered too. */
button[data-testid=stBaseButton-primary]{background:#1f6f8b!important;color:#fff!important}
button[data-testid=stBaseButton-primary]:hover{background:#185a72!important}
/* The label of a slider that cannot be moved is there to be read all the same. */
.stSlider label,.stSlider label *{color:inherit!important}
/* Captions are 60 % opaque, which the colour of links is too light for. */
[data-testid=stCaptionContainer] a{color:inherit!important;text-decoration:underline}
/* `upload.py` says it, and right. */
[class*=st-key-upload] [data-testid=stFileUploaderDropzoneInstructions]{display:none}
/* Six figures in a line. */
[data-testid=stMetricValue]{font-size:1.75rem}
/* Only scripts read it. */
.stElementContainer:has([data-plays]){display:none}
</style>"""
# Mends what Streamlit leaves out; its comments say what.
_ACCESSIBILITY = Path(__file__).with_name("accessibility.html")


def main() -> None:
    """Draw the page once, from top to bottom."""
    st.set_page_config(page_title="NeuroSense", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    st.title("NeuroSense", anchor=False)
    st.markdown("Which emotion do the words carry, which the voice, and which both together?")
    try:
        settings = Settings()
    except ValidationError as error:
        st.error(f"**The page is set up wrongly.** {explained(error)}")
        return
    client = Client(settings.api_url, settings.ui_timeout_s, settings.key)
    show_service(client)
    _show_tabs(client, settings)
    st.caption(
        "A label is what people would most likely hear in it, not what somebody feels: "
        f"[responsible use]({settings.shown_api_url}/responsible-use)."
    )
    # The file is ours and nothing that people type is in it.
    st.html(_ACCESSIBILITY, unsafe_allow_javascript=True)


def _show_tabs(client: Client, settings: Settings) -> None:
    """Draw Try always, so that it keeps what was typed, and Timeline once it was opened.

    Monitor asks the log only while open.
    """
    names = ["Try", "Timeline", *(["Monitor"] if settings.ui_monitor else [])]
    trying, timing, *more = st.tabs(names, key="tab", on_change=monitor.look_again)
    with trying:
        show_try(client, settings)
    with timing:
        if timing.open or st.session_state.setdefault("timeline opened", False):
            st.session_state["timeline opened"] = True
            show_timeline(client, settings)
    for monitoring in more:
        with monitoring:
            if monitoring.open:
                monitor.show_monitor(client)


if __name__ == "__main__":
    main()
