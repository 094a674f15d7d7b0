"""Tries mutated inputs and notes what came of them."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutations import mutated


@dataclass
class Report:
    """How often each outcome came, and the inputs that came out wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    crashes: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    largest_rss_bytes: int = 0


def fuzz(
    name: str,
    target: Callable[[bytes], str],
    starts: Sequence[bytes],
    seed: str,
    count: int,
    report: Report,
    failing: Path,
) -> Iterator[int]:
    """Try `count` inputs, the same for one seed; yields how many are done."""
    rng = random.Random(f"{seed} {name}")
    for done in range(count):
        tried = mutated(starts, rng)
        try:
            report.outcomes[f"{name}: {target(tried)}"] += 1
        except Exception as error:  # noqa: BLE001  that is what it looks for
            report.failures.append(f"{name}: {error!r}: {save(failing, tried)}")
        yield done + 1


def save(folder: Path, content: bytes) -> Path:
    """Keep an input for a person to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(content).hexdigest()[:16]
    path.write_bytes(content)
    return path
