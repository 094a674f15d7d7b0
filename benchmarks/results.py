"""All that was measured in a run of the benchmark, as one file for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter

from benchmarks.http_load import LoadResult
from benchmarks.peers.compared import CLASSIC as CLASSIC
from benchmarks.peers.compared import Compared
from benchmarks.points import Measured
from benchmarks.report import Measurement

OURS = "neurosense"
"""What ours is called among the peers."""


@dataclass(frozen=True)
class Ratio:
    """Two throughputs that were measured in turn, round after round."""

    name: str
    unit: str
    rounds: Sequence[tuple[float, float]]
    """Of the one and of what it is compared with."""

    def median(self) -> float:
        """Return the median over the rounds' ratios."""
        return median(self._ratios())

    def spread(self) -> float:
        """Return the largest ratio less the smallest, by the median."""
        return (max(self._ratios()) - min(self._ratios())) / self.median()

    def _ratios(self) -> list[float]:
        return [one / base for one, base in self.rounds]


@dataclass(frozen=True)
class ApiLoad:
    """The public API under a closed loop."""

    modality: str
    in_flight: int
    result: LoadResult


@dataclass(frozen=True)
class Grown:
    """Throughput and memory at one value of what is varied (clip length, instances ...)."""

    varied: str
    """With its unit, as in `clip length, s`."""
    value: float
    per_second: float
    audio_seconds_per_second: float | None = None
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Of each process, by its name."""


@dataclass(frozen=True)
class Whole:
    """Single figures of the whole service; None where not measured."""

    service_over_sessions: float | None = None
    """Throughput of the service over that of the bare ONNX sessions in a loop, same inputs."""
    mixed_over_equal_lengths: float | None = None
    """Audio seconds per second, with clips of mixed lengths over clips of equal ones."""
    api_over_triton: float | None = None
    """Throughput of the HTTP API over that of Triton asked directly, text only."""
    memory_gb: float | None = None
    """Resident memory of the whole stack, at its best precision."""
    request_floor_s: float | None = None
    """Least seconds of the machine for a mean request of the peers' load (`floors`)."""


@dataclass(frozen=True)
class Results:
    """Whatever was measured; what was not is empty."""

    facts: dict[str, str] = field(default_factory=dict)
    models: Sequence[Measured] = ()
    service: Sequence[Measurement] = ()
    peers: Sequence[Compared] = ()
    growth: Sequence[Grown] = ()
    api: Sequence[ApiLoad] = ()
    ratios: Sequence[Ratio] = ()
    memory_mb: dict[str, float] = field(default_factory=dict)
    """Of each process of the service after all loads."""
    whole: Whole = field(default_factory=Whole)


_RESULTS = TypeAdapter(Results)


def merged(parts: Iterable[Results]) -> Results:
    """Return the results of several stages, none of which measured what another did, as one."""
    fields: dict[str, object] = {}
    for part in parts:
        own = {name: value for name, value in vars(part).items() if value}
        whole = {name: value for name, value in asdict(part.whole).items() if value is not None}
        for name in ("facts", "whole"):
            given = whole if name == "whole" else part.facts
            own[name] = {**fields.get(name, {}), **given}  # type: ignore[dict-item]
        fields |= own
    return _RESULTS.validate_python(fields)


def save(results: Results, file: Path) -> None:
    """Write the results as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_RESULTS.dump_json(results, indent=2) + b"\n")


def load(file: Path) -> Results:
    """Read what `save` wrote.

    Raises:
        ValueError: the file holds something else.
    """
    return _RESULTS.validate_json(file.read_bytes())
