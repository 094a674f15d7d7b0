"""What the page can be told, from NEUROSENSE_* variables."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def _sendable(key: SecretStr) -> SecretStr:
    if not (key.get_secret_value().isascii() and key.get_secret_value().isprintable()):
        raise ValueError("is no API key: it has characters that no key has")
    return key


def _holds_key(path: Path) -> Path:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path} cannot be read") from None
    if not key:
        raise ValueError(f"{path} is empty")
    _sendable(SecretStr(key))
    return path


class Settings(BaseSettings):
    """Frozen; each field's description is its row in the README's table."""

    model_config = SettingsConfigDict(
        env_prefix="NEUROSENSE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    api_url: str = Field(
        "http://127.0.0.1:8080",
        pattern="^https?://.+",
        description="where the page reaches the API",
    )
    api_public_url: str | None = Field(
        None,
        pattern="^https?://.+",
        description="where people reach the API, for the `curl` that the page shows; "
        "without it, the same",
    )
    api_key: Annotated[SecretStr, AfterValidator(_sendable)] | None = Field(
        None, description="key that the page sends to the API; `neurosense serve` sets it itself"
    )
    api_key_file: Annotated[Path, AfterValidator(_holds_key)] | None = Field(
        None, description="file with that key, instead of the variable"
    )
    ui_monitor: bool = Field(
        False,
        description="whether the page has Monitor, which shows the log to all who reach the page, "
        "and the page's key the scope `read`; unset, `neurosense serve` takes true where the page "
        "listens on loopback, else false",
    )
    text_weight: float = Field(0.55, ge=0, le=1, description="default weight of the text, 0 to 1")
    max_upload_bytes: int = Field(
        25 * 2**20, ge=1, le=2**30, description="longest recording, in bytes"
    )
    max_timeline_bytes: int = Field(
        512 * 2**20, ge=1, le=2**34, description="longest long recording, in bytes"
    )
    ui_timeout_s: float = Field(
        60.0,
        gt=0,
        le=600,
        description="seconds that the page waits for an answer: longer than the API waits",
    )

    @property
    def key(self) -> str | None:
        """The key to send, if there is one."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        return self.api_key_file.read_text(encoding="utf-8").strip() if self.api_key_file else None

    @property
    def shown_api_url(self) -> str:
        """The API's address for people: in the `curl`, and in links."""
        return (self.api_public_url or self.api_url).rstrip("/")


def explained(error: ValidationError) -> str:
    """Return which variable is wrong and why, for people."""
    return "; ".join(f"NEUROSENSE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
