"""What a published version says about itself: `manifest.json` beside its graph."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from export.errors import ExportError

Branch = Literal["text", "audio"]
Weights = Literal["hub", "starter", "local"]
Precision = Literal["auto", "fp32", "int8", "fp16"]
"""`auto` is the fastest on a CPU that passes the gate: int8, else fp32. `fp16` is for GPUs."""

FILE_NAME = "manifest.json"
FORMAT = 2
"""Raised when graphs are written, or version folders laid out, in another way: what was
published in an older one is then published anew."""


@dataclass(frozen=True)
class Manifest:
    """Where a version's weights come from, what it predicts and how exactly.

    `parity` compares the float32 graph with the checkpoint, `gate` a lower precision with
    float32; `requested` is what the precision was chosen by. A starter as shipped has `gates`
    instead, those of each precision that was tried: of one that failed, `files` has no graph.
    `calibration` holds the temperature that the graph applies and what it was fitted on, None
    where none was fitted.

    `files` maps `<model>/<file>` to its SHA-256. `version` is the number that Triton knows
    it by, None while it is not published (a starter as shipped).
    """

    branch: Branch
    name: str
    revision: str | None
    weights: Weights
    labels: dict[str, str]
    coverage: list[str]
    precision: str
    opset: int
    parity: dict[str, int | float]
    files: dict[str, str]
    max_tokens: int | None = None
    pad_id: int | None = None
    sample_rate_hz: int | None = None
    min_samples: int | None = None
    gate: dict[str, Any] | None = None
    gates: dict[str, dict[str, Any]] | None = None
    calibration: dict[str, Any] | None = None
    requested: Precision = "fp32"
    version: int | None = None
    created_at: str | None = None
    format: int = FORMAT

    @property
    def temperature(self) -> float:
        """What the graph's answers were cooled by, 1 where nothing was fitted."""
        return float(self.calibration["temperature"]) if self.calibration else 1.0

    def to_json(self) -> str:
        """Return the file's text; what does not apply to the branch is left out."""
        fields = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        fields.setdefault("revision", self.revision)
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def read(folder: Path) -> Manifest:
    """Return the manifest in a version folder.

    Raises:
        FileNotFoundError: there is none.
        ExportError: it is not a manifest that this version of the project knows.
    """
    file = folder / FILE_NAME
    try:
        return TypeAdapter(Manifest).validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ExportError(f"{file} is no manifest: {place}: {first['msg']}") from None


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
