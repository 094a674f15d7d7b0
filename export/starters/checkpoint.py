"""How both starters are written to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_half(model: Any, folder: Path) -> None:
    """Write config.json and fp16 model.safetensors; the model in memory stays float32."""
    half = {name: value.half() for name, value in model.state_dict().items()}
    model.config.name_or_path = ""  # else the folder it was loaded from is written down
    model.save_pretrained(folder, state_dict=half, safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)
