"""Colours of the charts; `.streamlit/config.toml` has the page's."""

from collections.abc import Mapping

import streamlit as st

_COLORS = {
    "light": {"bar": "#1f6f8b", "rest": "#a9c7d3", "text": "#1c2733", "grid": "#d5dde3"},
    "dark": {"bar": "#4fb3d1", "rest": "#2f5566", "text": "#e6edf3", "grid": "#33414d"},
}


def colors() -> Mapping[str, str]:
    """Return `bar`, `rest`, `text` and `grid` of the theme that the person sees."""
    return _COLORS["dark" if st.context.theme.type == "dark" else "light"]
