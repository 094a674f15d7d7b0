"""Before anything starts: may the API listen where it is to listen?"""

from api.keys import KeysError, read
from api.loopback import is_loopback
from serving.errors import ServingError
from serving.settings import Settings


def check_keys(settings: Settings) -> None:
    """Raise ServingError if the API would listen to others without a key, or its file is broken."""
    try:
        keys = read(settings.keys_file) if settings.keys_file.exists() else ()
    except KeysError as error:
        raise ServingError(str(error)) from None
    if not keys and not is_loopback(settings.api_host):
        raise ServingError(
            f"NEUROSENSE_API_HOST={settings.api_host} lets others call the API, so a key is "
            "needed: make one with `neurosense keys create NAME --scope analyze`"
        )
