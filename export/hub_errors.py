"""What went wrong with the hub, in words that name the way out."""

import requests
from huggingface_hub import constants
from huggingface_hub import errors as hub

from export.versions import cannot_write

_OTHER_WAYS = (
    "check the network and HTTPS_PROXY, point HF_ENDPOINT at a mirror, name a folder that holds "
    "the checkpoint, or serve the starter weights (NEUROSENSE_WEIGHTS=starter)"
)


def is_network(error: Exception) -> bool:
    """Return whether the hub could not be asked, so that what it said before still holds."""
    if isinstance(error, hub.HfHubHTTPError) and error.response is not None:
        return error.response.status_code >= 500
    return isinstance(
        error,
        (requests.ConnectionError, requests.Timeout, ConnectionError, hub.LocalEntryNotFoundError),
    )


def explain(error: Exception, source: str, revision: str | None) -> str:
    """Return the message for an ExportError about fetching `source`."""
    where = f"{constants.ENDPOINT}/{source}"
    match error:
        case hub.GatedRepoError():
            return f"{where} is gated: accept its terms there, then set HF_TOKEN"
        case hub.RepositoryNotFoundError():
            return (
                f"the hub has no model {source!r}: check the spelling at {where}; "
                "set HF_TOKEN if it is private"
            )
        case hub.RevisionNotFoundError():
            return f"{where} has no revision {revision!r}: choose one of its commits or branches"
        case hub.HFValidationError():
            return f"{source!r} is neither a folder here nor an id on the hub (owner/name)"
    if isinstance(error, OSError):
        refusal = cannot_write(error, constants.HF_HUB_CACHE, "HF_HOME")
        if refusal and not isinstance(error, requests.RequestException):
            return str(refusal)
    if isinstance(error, OSError) and str(error).startswith("Consistency check failed"):
        return f"{source} was cut short while downloading: run it again, it goes on from there"
    reason = type(error.__cause__ or error).__name__
    return f"{source} cannot be fetched from {constants.ENDPOINT} ({reason}): {_OTHER_WAYS}"
