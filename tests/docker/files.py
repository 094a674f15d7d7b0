"""The files that containers are made of, read for the tests."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = PROJECT / "docker" / "compose.yaml"
BLUEPRINTS = [PROJECT / "render.yaml", PROJECT / "deploy" / "render-cpu.yaml"]
DOCKERFILES = sorted((PROJECT / "docker").glob("*.Dockerfile"))


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined."""

    name: str
    arguments: str

    @property
    def words(self) -> list[str]:
        if self.arguments.startswith("["):
            return [str(word) for word in json.loads(self.arguments)]
        return shlex.split(self.arguments)


def instructions(dockerfile: Path) -> list[Instruction]:
    """Return what a Dockerfile does, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [Instruction(name.upper(), rest.strip()) for name, _, rest in parts]


def copied_paths(dockerfile: Path) -> list[str]:
    """Return every path that a Dockerfile takes from the build context."""
    copies = [i.words for i in instructions(dockerfile) if i.name in ("COPY", "ADD")]
    from_context = [words for words in copies if not words[0].startswith("--from")]
    return [path for words in from_context for path in words[:-1] if not path.startswith("--")]


def variables(dockerfile: Path) -> dict[str, str]:
    """Return what a Dockerfile's ENV instructions set."""
    pairs = (word for i in instructions(dockerfile) if i.name == "ENV" for word in i.words)
    return dict(pair.split("=", 1) for pair in pairs)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping."""
    content = yaml.safe_load(path.read_text())
    assert isinstance(content, dict)
    return content
