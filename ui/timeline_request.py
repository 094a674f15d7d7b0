"""What people give to the timeline: a recording, a transcript, or the sample."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ui.client import Clip
from ui.settings import Settings
from ui.upload import AUDIO_TYPES, ask_file

_SAMPLES = Path(__file__).resolve().parents[1] / "samples"
_SAMPLE = "conversation"
_MAKE, _USE_SAMPLE = "Make the timeline", f"Use the sample {_SAMPLE}"


@dataclass(frozen=True)
class Request:
    """What a person asks; `transcript` is a WebVTT, SRT or JSON file."""

    recording: Clip
    transcript: Clip | None
    align: bool
    button: str = _MAKE
    """What was pressed for it, and is to be pressed again where it fails."""

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
        pressed = st.button(_MAKE, type="primary")
        sample = (_SAMPLES / f"{_SAMPLE}.flac").exists() and st.button(_USE_SAMPLE)
    if sample:
        clips = _sample("flac", "audio/flac"), _sample("vtt", "text/vtt")
        return Request(*clips, align, _USE_SAMPLE)
    if pressed and recording is None:
        st.info(f"Add a recording first, then press {_MAKE}.")
    return Request(recording, transcript, align) if pressed and recording else None


def _ask_files(settings: Settings) -> tuple[Clip | None, Clip | None]:
    left, right = st.columns(2, gap="medium")
    with left:
        recording = ask_file(
            "Recording: a call, an interview, a lesson",
            AUDIO_TYPES,
            settings.max_timeline_bytes,
            "What is too long for the service is said when it is heard.",
        )
    with right:
        transcript = ask_file(
            "Transcript, if there is one: WebVTT, SRT or JSON",
            ["vtt", "srt", "json"],
            2**20,
            "JSON: a list of {start, end, text, speaker?}, times in seconds. Without a "
            "transcript the voice alone is judged.",
        )
    return recording, transcript


def _sample(ending: str, media_type: str) -> Clip:
    file = _SAMPLES / f"{_SAMPLE}.{ending}"
    return Clip(file.name, file.read_bytes(), media_type)
