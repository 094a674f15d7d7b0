"""What `neurosense serve` and `neurosense export` can be told, by NEUROSENSE_* variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.loopback import is_loopback
from export.manifest import Precision
from serving.errors import ServingError

PROJECT = Path(__file__).resolve().parent.parent
"""The checkout: holds `model_repository/` and `requirements/`."""


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """Frozen; `Settings.load()` fails with the variable's name where a value makes no sense."""

    model_config = SettingsConfigDict(
        env_prefix="NEUROSENSE_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    weights: Literal["auto", "hub", "starter"] = Field(
        "auto",
        description="`hub`: the published checkpoints; `starter`: the small ones shipped here; "
        "`auto`: the hub's, or the starters (said loudly) where it cannot be reached",
    )
    text_checkpoint: str | None = Field(
        None, description="another text checkpoint: a hub id, `id@revision`, or a folder"
    )
    audio_checkpoint: str | None = Field(
        None, description="another audio checkpoint: a hub id, `id@revision`, or a folder"
    )
    precision: Precision = Field(
        "auto",
        description="of the classifiers: `fp32`, `int8`, `fp16` (for GPUs), or `auto`: int8 where "
        "at least 99 % of labels agree with fp32 on real inputs, else fp32",
    )
    accelerator: Literal["cuda", "tensorrt"] = Field(
        "cuda",
        description="of classifiers on a GPU: `cuda`, or `tensorrt`, with CUDA for what it lacks",
    )
    classifier_instances: int | None = Field(
        None,
        ge=1,
        le=16,
        description="of each classifier, on each GPU, or sharing the CPU's cores; unset: 1, but on "
        "a CPU 2 for audio",
    )
    cpu_cores: Annotated[int, Field(ge=1, le=1024)] | Literal["all"] | None = Field(
        None,
        description="cores that the classifiers share without a GPU: a container's limit, or "
        "`all`, as unset. `neurosense export --repository` with it makes a folder for a Triton "
        "without a GPU, else for one with a GPU",
    )
    audio_batch_size: int | None = Field(
        None,
        ge=1,
        le=64,
        description="most clips that the audio classifier takes at once; unset: 6; a GPU with "
        "memory for them is faster with 32",
    )
    step_instances: int | None = Field(
        None,
        ge=1,
        le=32,
        description="of `audio_decoder`, `text_tokenizer` and `fusion` each, which run on the CPU; "
        "unset: 2, 1 and 1; a GPU is kept busy by more",
    )
    response_cache_mb: int = Field(
        0,
        ge=0,
        le=2**16,
        description="memory in which Triton keeps answers, so that the same input is answered "
        "again without a model; 0: none. It tells inputs apart by a hash of 64 bits: leave it off "
        "where people who wish others ill may send input",
    )
    state_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        PROJECT / ".neurosense",
        description="everything that running writes: served repository, database, logs",
    )
    api_keys_file: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        None,
        description="file of the API keys; without it, `api_keys.json` in the state folder "
        "(`python -m api` alone: none)",
    )
    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8080, ge=1, le=65535, description="port of the API")
    ui_host: str = Field("127.0.0.1", description="address the page listens on")
    ui_port: int = Field(8501, ge=1, le=65535, description="port of the page")
    ui_monitor: bool | None = Field(
        None,
        description="whether the page has Monitor, which shows the log to all who reach the page, "
        "and the page's key the scope `read`; unset, `neurosense serve` takes true where the page "
        "listens on loopback, else false",
    )
    triton_http_port: int = Field(8000, ge=1, le=65535, description="Triton's HTTP port (loopback)")
    triton_grpc_port: int = Field(8001, ge=1, le=65535, description="Triton's gRPC port (loopback)")
    triton_metrics_port: int = Field(
        8002, ge=1, le=65535, description="Triton's Prometheus port (loopback)"
    )
    database_url: str | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL for the prediction log instead of the embedded one",
    )
    otlp_endpoint: HttpUrl | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OpenTelemetry collector, such as http://127.0.0.1:4318, that takes the traces",
    )
    max_upload_bytes: int = Field(
        25 * 2**20, ge=1, le=2**30, description="longest recording, in bytes"
    )
    max_audio_seconds: float = Field(
        30.0,
        gt=0,
        le=60,
        description="longest single clip, up to 60; memory and time grow faster than the length",
    )
    max_audio_channels: int = Field(8, ge=1, le=64, description="most channels of a recording")
    fusion_strategy: Literal["weighted", "coverage"] = Field(
        "weighted",
        description="`coverage`: an emotion that the audio model has no output for is not "
        "counted as evidence against it",
    )

    verify_min_agreement: float = Field(
        0.9,
        ge=0,
        le=1,
        description="of a candidate's labels with the served version's, before it is promoted",
    )
    verify_max_accuracy_drop: float = Field(
        0.02,
        ge=0,
        le=1,
        description="how far its accuracy may lie below, where the golden set has labels",
    )
    verify_max_latency_ratio: float = Field(
        2.0, gt=0, description="how many times as long its median answer may take"
    )

    @classmethod
    def load(cls) -> "Settings":
        """Read the environment; ServingError names the variable and what is wrong with it."""
        try:
            return cls()
        except ValidationError as error:
            raise ServingError(
                "\n".join(f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors())
            ) from None

    @property
    def repository(self) -> Path:
        """The model repository that Triton serves."""
        return self.state_dir / "model_repository"

    @property
    def keys_file(self) -> Path:
        """The file of the API keys."""
        return self.api_keys_file or self.state_dir / "api_keys.json"

    @property
    def has_monitor(self) -> bool:
        """Whether the page shows the log: unless told, only where nobody else can reach it."""
        return is_loopback(self.ui_host) if self.ui_monitor is None else self.ui_monitor

    @property
    def log_dir(self) -> Path:
        """Where every server's output goes."""
        return self.state_dir / "logs"


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return name if name.isupper() else f"NEUROSENSE_{name.upper()}"
