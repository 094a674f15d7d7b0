"""What a person can do about an answer of the API that is an error."""

import httpx

BUSY = "It may be busy: wait a moment and try again, or ask for less."
_LOOK = "Try again; if it keeps failing, look into the service's log."


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
    return _LOOK


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
    return _LOOK


def _wait(response: httpx.Response) -> str:
    return f"{response.headers.get('Retry-After', 'a few')} seconds"
