"""What a person can do about an answer of the API that is an error: by its code."""

from collections.abc import Mapping

import httpx

BUSY = "It may be busy: wait a moment and try again, or ask for less."
LOOK = "Try again; if it keeps failing, look into the service's log."

_SLIM = "save it as MP3, M4A or Opus, which take less room"
_ANEW = "Add another recording, or save this one anew as WAV, FLAC or MP3, and {again}."
_CORRECT = (
    "Correct the transcript (WebVTT, SRT or JSON), add it again and {again}. Without it the voice "
    "alone is judged."
)
_PARTS = "Cut the recording and its transcript into parts, or take the transcript away, and {again}"
_NOT_READY = "The models aren't ready. Wait {wait} and {again}."

_ANY = {
    "rate_limited": "Too much was asked at once. Wait {wait} and {again}.",
    "overloaded": "It is busy with others. Wait {wait} and {again}.",
    "model_unavailable": _NOT_READY,
    "model_failed": _NOT_READY,
    "not_ready": _NOT_READY,
    "timeout": "It may be busy: wait a moment and {again}, or ask for less.",
    "disk_full": "Make room on the service's disk, where NEUROSENSE_SPOOL_DIR lies, and {again}.",
    "log_unavailable": "Its log takes no rows: its database is away, and what waits for it on the "
    "disk is at NEUROSENSE_SPOOL_MAX_BYTES. Start the database and {again}.",
    "upload_too_slow": "The connection was too slow for it: {again}. If that fails too, "
    + _SLIM
    + ", or have NEUROSENSE_UPLOAD_TIMEOUT_S of the API allow more time.",
    "audio_undecodable": _ANEW,
    "audio_not_finite": _ANEW,
    "audio_too_many_channels": _ANEW,
    "audio_too_slow": _ANEW,
    "audio_empty": "Add a recording that has sound in it and {again}.",
    "audio_missing": "Add a recording that has sound in it and {again}.",
    "audio_too_short": "Add a longer recording and {again}.",
}
_TRY = _ANY | {
    "text_empty": "Change the sentence and {again}.",
    "text_invalid": "Change the sentence and {again}.",
    "text_too_large": "Use a shorter sentence and {again}.",
    "audio_too_long": "Use a shorter recording and {again}; Timeline takes long ones.",
    "audio_too_large": "Use a shorter recording, or " + _SLIM + ", and {again}; Timeline takes "
    "long ones.",
}
_TIMELINE = _ANY | {
    "overloaded": "Other long recordings are in work. Wait {wait} and {again}.",
    "no_speech": "Add its transcript if there is somebody to hear, or another recording, and "
    "{again}.",
    "audio_too_long": "Cut it into parts and {again} for each, or have "
    "NEUROSENSE_MAX_TIMELINE_SECONDS of the API allow more.",
    "audio_too_large": "Cut it into parts, or " + _SLIM + ", and {again}. "
    "NEUROSENSE_MAX_TIMELINE_BYTES of the API and the page allows more.",
    "transcript_too_large": _PARTS + ". NEUROSENSE_MAX_TEXT_BYTES of the API allows more.",
    "segments_too_large": _PARTS + ". NEUROSENSE_MAX_TEXT_BYTES of the API allows more.",
    "transcript_too_long": _PARTS + ".",
    "transcript_invalid": _CORRECT,
    "transcript_empty": _CORRECT,
    "segments_invalid": _CORRECT,
    "segments_overlap": _CORRECT,
    "segment_times_invalid": _CORRECT,
    "segment_beyond_end": "Check that the transcript is this recording's. " + _CORRECT,
}
_LOG = _ANY | {
    "log_unavailable": "Its database is away or busy; analysing goes on meanwhile, and nothing is "
    "lost. Wait {wait} and {again}, or choose a shorter time.",
}
_NO_KEY = (
    "The page's own key is missing, revoked or not for this. Make one with `neurosense "
    "keys create page --scope analyze` and start the page with it in NEUROSENSE_API_KEY."
)
_NO_KEY_FOR_LOG = (
    "The page's own key may not read the log. Start the API with NEUROSENSE_UI_MONITOR="
    "true too, or make a key with `neurosense keys create page --scope analyze --scope "
    "read` and start the page with it in NEUROSENSE_API_KEY."
)


def of_analysis(response: httpx.Response) -> str:
    """Return what to do after an analysis was refused."""
    if _is_for_want_of_a_key(response):
        return _NO_KEY
    other = "Change the sentence or the recording and {again}."
    return _advice(response, _TRY, "press Analyze again", other)


def of_log(response: httpx.Response) -> str:
    """Return what to do after the log was not shown."""
    if _is_for_want_of_a_key(response):
        return _NO_KEY_FOR_LOG
    return _advice(response, _LOG, "press Refresh", "Choose another time or other filters.")


def of_timeline(response: httpx.Response, button: str) -> str:
    """Return what to do after a long recording was refused; `button` was pressed for it."""
    if _is_for_want_of_a_key(response):
        return _NO_KEY
    other = "Change the recording or its transcript and {again}."
    return _advice(response, _TIMELINE, _again(button), other)


def of_recording(code: str, button: str) -> str:
    """Return what to do about an error that was found in a long recording or its transcript."""
    return _TIMELINE.get(code, LOOK).format(wait="a few seconds", again=_again(button))


def _again(button: str) -> str:
    return f"press {button} again"


def _is_for_want_of_a_key(response: httpx.Response) -> bool:
    return response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


def _advice(response: httpx.Response, by_code: Mapping[str, str], again: str, other: str) -> str:
    """Return what the code asks for; `other` where the code is new and the request was at fault."""
    known = by_code.get(str(response.json().get("code")))
    if known is None:
        known = other if response.is_client_error else LOOK
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            known = _ANY["overloaded"]
    wait_s = response.headers.get("Retry-After", "a few")
    return known.format(wait=f"{wait_s} seconds", again=again)
