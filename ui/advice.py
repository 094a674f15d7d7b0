"""What a person can do about an answer of the API that is an error."""

import httpx

BUSY = "It may be busy: wait a moment and try again, or ask for less."
LOOK = "Try again; if it keeps failing, look into the service's log."
_BUSY_CODES = ("overloaded", "model_unavailable", "model_failed", "timeout")


def of_analysis(response: httpx.Response) -> str:
    """Return what to do after an analysis was refused."""
    status = response.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return (
            "The page's own key is missing, revoked or not for this. Make one with `neurosense "
            "keys create page --scope analyze` and start the page with it in NEUROSENSE_API_KEY."
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return f"Too much was asked at once. Wait {_wait(response)} and press Analyze again."
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return "Use a shorter sentence or recording."
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return f"The models aren't ready. Wait {_wait(response)} and press Analyze again."
    if status == httpx.codes.GATEWAY_TIMEOUT:
        return BUSY
    if response.is_client_error:
        return "Change the sentence or the recording and press Analyze again."
    return LOOK


def of_log(response: httpx.Response) -> str:
    """Return what to do after the log was not shown."""
    status = response.status_code
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return (
            "The page's own key may not read the log. Start the API with NEUROSENSE_UI_MONITOR="
            "true too, or make a key with `neurosense keys create page --scope analyze --scope "
            "read` and start the page with it in NEUROSENSE_API_KEY."
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return f"Too much was asked at once. Wait {_wait(response)} and press Refresh."
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return (
            "Its database is away or busy; analysing goes on meanwhile, and nothing is lost. "
            f"Wait {_wait(response)} and press Refresh, or choose a shorter time."
        )
    if status == httpx.codes.GATEWAY_TIMEOUT:
        return BUSY
    if response.is_client_error:
        return "Choose another time or other filters."
    return LOOK


def of_timeline(response: httpx.Response) -> str:
    """Return what to do after a long recording was refused."""
    status = response.status_code
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return (
            "Send a shorter part of it, or save it as MP3, M4A or Opus, which take less room. "
            "NEUROSENSE_MAX_TIMELINE_BYTES of the API and the page allows more."
        )
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return (
            "Other long recordings are in work, or the models aren't ready. "
            f"Wait {_wait(response)} and press the button again."
        )
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        return of_recording(str(response.json().get("code")))
    return of_analysis(response)


def of_recording(code: str) -> str:
    """Return what to do about an error that was found in a long recording or its transcript."""
    if code.startswith(("transcript", "segment")):
        return (
            "Correct the transcript (WebVTT, SRT or JSON) and add it again, or take it away: then "
            "the voice alone is judged."
        )
    if code == "no_speech":
        return "Add its transcript if there is somebody to hear, or another recording."
    if code.startswith("audio"):
        return "Add another recording, or save this one anew as WAV, FLAC or MP3."
    return BUSY if code in _BUSY_CODES else LOOK


def _wait(response: httpx.Response) -> str:
    return f"{response.headers.get('Retry-After', 'a few')} seconds"
