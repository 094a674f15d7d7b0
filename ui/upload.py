"""Files that people give, and what is said of how large they may be."""

import streamlit as st

from ui.client import Clip

AUDIO_TYPES = ["wav", "mp3", "m4a", "aac", "mp4", "flac", "ogg", "oga", "opus", "webm"]
KEY = "upload"
"""Begins the key of each: `app.py` hides what Streamlit says, which rounds 512 MB to 1 GB."""


def ask_file(label: str, types: list[str], most_bytes: int, note: str | None = None) -> Clip | None:
    """Draw an upload and its limit, the only one that is said; a megabyte has 2**20 bytes."""
    most_mb = max(1, most_bytes // 2**20)
    with st.container(key=f"{KEY} {label}", gap="xsmall"):
        file = st.file_uploader(label, type=types, max_upload_size=most_mb, help=note)
        st.caption(f"Up to {most_mb:,} MB: {', '.join(types).upper()}")
    if file is None:
        return None
    return Clip(file.name, file.getvalue(), file.type or "application/octet-stream")
