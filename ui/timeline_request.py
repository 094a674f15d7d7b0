"""What people give to the timeline: a recording, a transcript, or the sample."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ui.client import Clip
from ui.settings import Settings
from ui.try_page import AUDIO_TYPES

_SAMPLES = Path(__file__).resolve().parents[1] / "samples"
_SAMPLE = "conversation"


@dataclass(frozen=True)
class Request:
    """What a person asks; `transcript` is a WebVTT, SRT or JSON file."""

    recording: Clip
    transcript: Clip | None
    align: bool

    @property
    def files(self) -> dict[str, Any]:
        """The form; the recording is read piece by piece, and not copied."""
        clip = self.recording
        files: dict[str, Any] = {
            "audio": (clip.name, io.BytesIO(clip.content), clip.media_type),
            "align": (None, "on" if self.align else "off"),
        }
        if self.transcript:
            name, content = self.transcript.name, self.transcript.content
            if name.lower().endswith(".json"):
                files["segments"] = (None, content)
            else:
                files["transcript"] = (name, content)
        return files


def ask_request(settings: Settings) -> Request | None:
    """Draw the inputs and their buttons; return what to start, now that one was pressed."""
    recording, transcript = _ask_files(settings)
    align = st.toggle(
        "Correct a transcript that is early or late as a whole",
        value=True,
        help="By up to 5 seconds, by where a voice is heard.",
    )
    with st.container(horizontal=True):
        pressed = st.button("Make the timeline", type="primary")
        sample = (_SAMPLES / f"{_SAMPLE}.flac").exists() and st.button(f"Use the sample {_SAMPLE}")
    if sample:
        return Request(_sample("flac", "audio/flac"), _sample("vtt", "text/vtt"), align)
    if pressed and recording is None:
        st.info("Add a recording first, then press Make the timeline.")
    return Request(recording, transcript, align) if pressed and recording else None


def _ask_files(settings: Settings) -> tuple[Clip | None, Clip | None]:
    left, right = st.columns(2, gap="medium")
    most = max(1, settings.max_timeline_bytes // 2**20)
    with left:
        recording = st.file_uploader(
            "Recording: a call, an interview, a lesson",
            type=AUDIO_TYPES,
            max_upload_size=most,
            help=f"Up to {most} MB; what is too long for the service is said when it is heard.",
        )
    with right:
        transcript = st.file_uploader(
            "Transcript, if there is one: WebVTT, SRT or JSON",
            type=["vtt", "srt", "json"],
            max_upload_size=1,
            help="JSON: a list of {start, end, text, speaker?}, times in seconds. Without a "
            "transcript the voice alone is judged.",
        )
    return _clip(recording), _clip(transcript)


def _clip(file: UploadedFile | None) -> Clip | None:
    if file is None:
        return None
    return Clip(file.name, file.getvalue(), file.type or "application/octet-stream")


def _sample(ending: str, media_type: str) -> Clip:
    file = _SAMPLES / f"{_SAMPLE}.{ending}"
    return Clip(file.name, file.read_bytes(), media_type)
