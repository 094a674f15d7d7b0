"""Everything that can be set, read once from the environment."""

from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "NEUROSENSE_"


def _checked_url(url: str) -> str:
    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # its text repeats the URL, password and all
        raise ValueError("is not a postgresql:// URL that libpq understands") from None
    return url


class Settings(BaseSettings):
    """The API's settings; each field's description is its row in the README's table."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(8080, ge=1, le=65535, description="port of the API, 1 to 65535")
    triton_grpc_url: str = Field(
        "127.0.0.1:8001", min_length=1, description="Triton's gRPC address, host:port"
    )
    database_url: Annotated[str, AfterValidator(_checked_url)] = Field(
        validation_alias="DATABASE_URL",
        repr=False,
        description="database of the prediction log, postgresql://user:password@host:port/name",
    )
    database_connections: int = Field(
        10, ge=1, le=1000, description="connections to the database at most, 1 to 1000"
    )
    database_start_timeout_s: float = Field(
        30.0, gt=0, le=600, description="seconds that a start waits for the database, up to 600"
    )
    text_weight: float = Field(
        0.55, ge=0, le=1, allow_inf_nan=False, description="default weight of the text, 0 to 1"
    )
    store_input_text: bool = Field(
        default=False, description="also store the text that was analysed, true or false"
    )
    max_upload_bytes: int = Field(
        25 * 2**20, ge=1, le=2**30, description="longest recording in bytes, 1 to 1073741824"
    )
    max_text_bytes: int = Field(
        2**20, ge=1, le=2**26, description="longest text in UTF-8 bytes, 1 to 67108864"
    )
    upload_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="seconds that a request body may take to arrive, up to 3600",
    )
    request_timeout_s: float = Field(
        30.0, gt=0, le=600, description="seconds that the models may take, up to 600"
    )
    log_timeout_s: float = Field(
        3.0, gt=0, le=60, description="seconds that writing the log row may take, up to 60"
    )

    @property
    def max_body_bytes(self) -> int:
        r"""The longest request body: a recording, a text as JSON's \uXXXX, and the framing."""
        return self.max_upload_bytes + 6 * self.max_text_bytes + 2**16


def env_name(field: str) -> str:
    """Return the environment variable that sets a field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else f"{_PREFIX}{field.upper()}"


def load() -> Settings:
    """Return the settings.

    Raises:
        SystemExit: one line for each variable that is missing or wrong, with what is allowed.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        lines = [_explain(str(problem["loc"][0]), problem["msg"]) for problem in problems]
        raise SystemExit("\n".join(lines)) from None


def _explain(location: str, message: str) -> str:
    for name, field in Settings.model_fields.items():
        if location in (name, field.validation_alias):
            return f"{env_name(name)}: {message} ({field.description})"
    return f"{location}: {message}"
