"""Everything that can be set, read once from the environment."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.logging_setup import Format, Level

_PREFIX = "NEUROSENSE_"


def _checked_url(url: str) -> str:
    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # its text repeats the URL, password and all
        raise ValueError("is not a postgresql:// URL that libpq understands") from None
    return url


def _checked_origins(listed: str) -> str:
    for origin in _origins(listed):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is no origin such as https://example.org")
    return listed


def _origins(listed: str) -> list[str]:
    return [origin for each in listed.split(",") if (origin := each.strip())]


class Settings(BaseSettings):
    """The API's settings; each field's description is its row in the README's table."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    api_host: str = Field("127.0.0.1", description="address that the API listens on")
    api_port: int = Field(8080, ge=1, le=65535, description="port of the API, 1 to 65535")
    api_keys_file: Path | None = Field(
        None, description="file of the API keys; without it, there are none"
    )
    page_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="one more key, with the scope analyze (and read for its Monitor): the page's, "
        "32 random characters or more; `neurosense serve` makes one at each start",
    )
    ui_monitor: bool = Field(
        False,
        description="whether the page has Monitor, which shows the log to all who reach the page, "
        "and the page's key the scope `read`; unset, `neurosense serve` takes true where the page "
        "listens on loopback, else false",
    )
    rate_limit_per_minute: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="requests that a key (without keys: an address) may send a minute to each "
        "process, up to 1000000; 0: any number. Ten seconds' worth may come at once",
    )
    cors_origins: Annotated[str, AfterValidator(_checked_origins)] | None = Field(
        None,
        description="origins whose web pages may call the API from a browser, with commas "
        "between them, such as https://example.org; without it, none",
    )
    triton_grpc_url: str = Field(
        "127.0.0.1:8001",
        min_length=1,
        description="Triton's gRPC address, host:port; a name may stand for several Tritons",
    )
    database_url: Annotated[str, AfterValidator(_checked_url)] = Field(
        validation_alias="DATABASE_URL",
        repr=False,
        description="database of the prediction log, postgresql://user:password@host:port/name",
    )
    database_connections: int = Field(
        10, ge=2, le=1000, description="connections to the database at most, 2 to 1000"
    )
    retention_months: int = Field(
        0,
        ge=0,
        le=1200,
        description="whole months that a prediction is kept after its own, 0 keeps all",
    )
    spool_dir: Path = Field(
        Path(".neurosense/spool"),
        description="where rows wait, on this machine's disk, while the database takes none",
    )
    spool_max_bytes: int = Field(
        2**28, ge=0, description="bytes that may wait there; then the answer is 503"
    )
    text_weight: float = Field(
        0.55, ge=0, le=1, allow_inf_nan=False, description="default weight of the text, 0 to 1"
    )
    uncertain_below: float = Field(
        0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="answers say `uncertain`, true where their confidence is below this, 0 to 1; "
        "0: they do not say. Reports of `neurosense evaluate` tell what each value gains",
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
    max_batch_items: int = Field(
        64, ge=1, le=1000, description="texts or recordings in one batch at most, 1 to 1000"
    )
    max_timelines: int = Field(
        2, ge=1, le=1000, description="long recordings in work at once, more get 503; 1 to 1000"
    )
    max_streams: int = Field(
        8, ge=1, le=10_000, description="live streams open at once, more get 503; 1 to 10000"
    )
    max_timeline_seconds: float = Field(
        7200.0,
        gt=0,
        le=86_400,
        description="longest long recording or live stream in seconds, up to 86400",
    )
    max_timeline_bytes: int = Field(
        512 * 2**20,
        ge=1,
        le=2**34,
        description="longest long recording in bytes, 1 to 17179869184; it waits in a file in "
        "NEUROSENSE_SPOOL_DIR, and its samples in another one, 115 MB an hour, and may not take "
        "what the rows may still need there: then the answer is 503",
    )
    max_concurrent_requests: int = Field(
        16,
        ge=1,
        le=100_000,
        description="requests at the models at once, more get 503; about twice what keeps these "
        "busy: 16 for a CPU, 128 for a GPU",
    )
    max_connections: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="connections of clients at once, 10 to 100000; one more takes an idle one's "
        "place",
    )
    max_body_memory_bytes: int = Field(
        2**27,
        ge=1,
        le=2**40,
        description="bytes of request bodies held in memory at once, more get 503, up to "
        "1099511627776; the largest body always goes. The process takes a few times as much",
    )
    upload_timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="seconds that a request body, and the next sound of a live stream, may take "
        "to arrive, up to 3600; a long recording may take longer while it comes at 64 KiB a second "
        "on average, without a pause of so many seconds",
    )
    request_timeout_s: float = Field(
        30.0, gt=0, le=600, description="seconds that the models may take, up to 600"
    )
    log_timeout_s: float = Field(
        1.0, gt=0, le=60, description="seconds that the database may take to store rows, up to 60"
    )

    log_format: Format = Field("text", description="of the API's log: `text` or `json`")
    log_level: Level = Field(
        "info", description="of the API's log: `debug`, `info`, `warning` or `error`"
    )
    otlp_endpoint: HttpUrl | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OpenTelemetry collector, such as http://127.0.0.1:4318, that takes the traces",
    )

    @property
    def otlp_traces_url(self) -> str | None:
        """Where spans are posted to, None for nowhere."""
        return f"{self.otlp_endpoint}".rstrip("/") + "/v1/traces" if self.otlp_endpoint else None

    @property
    def max_log_reads(self) -> int:
        """How many may read the log at once: four connections write, drain, keep up and probe."""
        return max(1, self.database_connections - 4)

    @property
    def max_body_bytes(self) -> int:
        r"""The longest request body: a recording, a text as JSON's \uXXXX, and the framing."""
        return self.max_upload_bytes + 6 * self.max_text_bytes + 2**16

    @property
    def max_timeline_body_bytes(self) -> int:
        """The longest body of /analyze/timeline: a recording, its transcript, and the framing."""
        return self.max_timeline_bytes + 2 * self.max_text_bytes + 2**16

    @property
    def allowed_origins(self) -> list[str]:
        """The origins of `cors_origins`."""
        return _origins(self.cors_origins or "")


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
