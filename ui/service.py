"""What the page says about the service behind it: who answers, and what went wrong."""

import streamlit as st

from ui import words
from ui.client import Answer, ApiError, Client


def show_service(client: Client) -> None:
    """Say what is away, and where starter weights answer."""
    try:
        weights = _health(client.base_url).get("weights") or {}
    except ApiError as error:
        show_error(error)
        return
    for notice in (words.outage_notice(weights), words.starter_notice(weights)):
        if notice:
            st.warning(notice, icon=":material/warning:")


def needs_key(client: Client) -> bool:
    """Tell whether people need a key to call the API themselves."""
    try:
        return bool(_health(client.base_url).get("needs_key"))
    except ApiError:
        return False


def show_error(error: ApiError) -> None:
    """Say what happened and what to do."""
    st.error(f"**{error.problem}** {error.advice}", icon=":material/error:")


@st.cache_data(ttl=10, show_spinner=False)  # type: ignore[untyped-decorator]
def _health(base_url: str) -> Answer:
    return Client(base_url, timeout_s=5).health()
