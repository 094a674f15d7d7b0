"""Colours of the charts; `.streamlit/config.toml` has the page's."""

from collections.abc import Mapping

import streamlit as st

# Paul Tol's light scheme, told apart by the colour-blind, with dark letters on each
# (https://personal.sron.nl/~pault/). Too pale for a white page without an outline.
EMOTION_FILLS = {
    "JOY": "#EEDD88",
    "SURPRISE": "#99DDFF",
    "NEUTRAL": "#DDDDDD",
    "FEAR": "#FFAABB",
    "SADNESS": "#77AADD",
    "DISGUST": "#44BB99",
    "ANGER": "#EE8866",
}
"""Every emotion from pleasant to unpleasant, and its colour in every chart and theme."""

LETTERS_ON_FILLS = "#1c2733"

_COLORS = {
    "light": {"bar": "#1f6f8b", "track": "#f0f3f6", "text": "#1c2733", "grid": "#d5dde3"},
    "dark": {"bar": "#4fb3d1", "track": "#1e2a35", "text": "#e6edf3", "grid": "#33414d"},
}


def colors() -> Mapping[str, str]:
    """Return `bar`, `track`, `text` and `grid` of the theme that the person sees."""
    return _COLORS["dark" if st.context.theme.type == "dark" else "light"]
