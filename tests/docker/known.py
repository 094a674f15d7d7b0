"""Every variable that the code reads."""

from pydantic_settings import BaseSettings

import api.settings
import serving.settings
import ui.settings

_SETTINGS: tuple[type[BaseSettings], ...] = (
    api.settings.Settings,
    serving.settings.Settings,
    ui.settings.Settings,
)


def known_variables() -> set[str]:
    """Return the names of all settings as environment variables."""
    return {
        str(field.validation_alias) if field.validation_alias else f"NEUROSENSE_{name.upper()}"
        for settings in _SETTINGS
        for name, field in settings.model_fields.items()
    }
