"""The tab to try it: words, a voice, or a sample of both go in, and their emotions come out."""

import streamlit as st

from ui import samples
from ui.client import Analysis, Answer, ApiError, Client, Clip
from ui.result import show_answer
from ui.service import needs_key, show_error
from ui.settings import Settings
from ui.upload import AUDIO_TYPES, ask_file

_UPLOAD, _RECORD, _SAMPLE = "Upload a file", "Record now", "Use a sample"
_WORDS, _CHOSEN = "words", "sample"


def show_try(client: Client, settings: Settings) -> None:
    """Draw the inputs, the button, and the last result."""
    analysis = _ask(settings)
    if st.button("Analyze", type="primary"):
        st.session_state["outcome"] = _outcome(client, analysis)
    _show_outcome(client, settings)


def _ask(settings: Settings) -> Analysis:
    """Draw the inputs; what is empty or left out comes back as None."""
    left, right = st.columns(2, gap="medium")
    with left:
        text = st.text_area(
            "Words: type a sentence",
            height=150,
            key=_WORDS,
            placeholder="For example: I can't believe you remembered my birthday!",
        )
    with right:
        clip = _ask_clip(settings)
    both = bool(text and text.strip() and clip)
    # Always there, so that the button below never moves away under a click.
    text_weight = st.slider(
        "How much the words count (the voice counts for the rest)",
        min_value=0.0,
        max_value=1.0,
        value=settings.text_weight,
        step=0.05,
        format="percent",
        disabled=not both,
        help="Only used when both a sentence and a recording are given.",
    )
    return Analysis(text if text and text.strip() else None, clip, text_weight)


def _ask_clip(settings: Settings) -> Clip | None:
    ways = [_UPLOAD, _RECORD, *([_SAMPLE] if samples.names() else [])]
    way = st.segmented_control("Voice: add a recording", ways, default=_UPLOAD, required=True)
    if way == _SAMPLE:
        return _ask_sample()
    if way == _RECORD:
        file = st.audio_input("Record from the microphone")
        return Clip("recording.wav", file.getvalue(), "audio/wav") if file else None
    clip = ask_file("Audio file", AUDIO_TYPES, settings.max_upload_bytes)
    if clip:
        st.audio(clip.content, format=clip.media_type)
    return clip


def _ask_sample() -> Clip | None:
    name = st.pills(
        "Synthesised voices: choosing one fills in its words too",
        samples.names(),
        format_func=str.capitalize,
        required=True,
        key=_CHOSEN,
        on_change=_fill_in,
    )
    if name is None:
        return None
    clip = samples.read(name).clip
    st.audio(clip.content, format=clip.media_type)
    return clip


def _fill_in() -> None:
    st.session_state[_WORDS] = samples.read(st.session_state[_CHOSEN]).words


def _outcome(client: Client, analysis: Analysis) -> tuple[Analysis, Answer | ApiError] | None:
    if not analysis.text and not analysis.clip:
        return None
    with st.spinner("Reading and listening …"):
        try:
            return analysis, client.analyze(analysis)
        except ApiError as error:
            return analysis, error


def _show_outcome(client: Client, settings: Settings) -> None:
    """Draw the last result; it stays until the next one, whatever is typed meanwhile."""
    if "outcome" not in st.session_state:
        return
    if st.session_state["outcome"] is None:
        st.info("Type a sentence or add a recording first, then press Analyze.")
        return
    analysis, result = st.session_state["outcome"]
    if isinstance(result, ApiError):
        show_error(result)
    else:
        curl = analysis.curl(settings.shown_api_url, with_key=needs_key(client))
        show_answer(analysis, result, curl)
