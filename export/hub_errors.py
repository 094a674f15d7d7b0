"""What went wrong with the hub, in words that name the way out."""

from huggingface_hub import constants
from huggingface_hub import errors as hub

from export.versions import no_room

_OTHER_WAYS = (
    "check the network and HTTPS_PROXY, point HF_ENDPOINT at a mirror, name a folder that holds "
    "the checkpoint, or serve the starter weights (NEUROSENSE_WEIGHTS=starter)"
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
    if isinstance(error, OSError) and (full := no_room(error, constants.HF_HUB_CACHE, "HF_HOME")):
        return str(full)
    if isinstance(error, OSError) and str(error).startswith("Consistency check failed"):
        return f"{source} was cut short while downloading: run it again, it goes on from there"
    reason = type(error.__cause__ or error).__name__
    return f"{source} cannot be fetched from {constants.ENDPOINT} ({reason}): {_OTHER_WAYS}"
