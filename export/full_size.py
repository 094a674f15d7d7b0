"""Exports full-size checkpoints with seeded random weights, and says what it took.

Where the published checkpoints cannot be downloaded, this shows that their size and
architecture export, pass the parity gate and can be served.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from export.manifest import Branch, Precision
from export.progress import Progress
from export.random_checkpoint import make
from export.run import DEFAULT_TOLERANCE, export_checkpoint

CONFIGS: dict[Branch, str] = {"text": "text_j-hartmann", "audio": "audio_superb-er"}
"""The folder of each branch's config.json, inside --configs."""


def export_random(
    branch: Branch, config: Path, extra: list[Path], repository: Path, precision: Precision
) -> None:
    """Make a random checkpoint of that config, export and publish it, and report."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / config.name
        say = _timed()
        say(f"{branch}: making random weights for {config}")
        make(branch, config, folder, extra)
        export_checkpoint(
            branch,
            str(folder),
            None,
            repository,
            weights="local",
            tolerance=DEFAULT_TOLERANCE,
            precision=precision,
            progress=say,
        )
        say("done")


def _timed() -> Progress:
    """Return a progress that puts the seconds since now and the peak memory before each line."""
    start_s = time.monotonic()

    def say(line: str) -> None:
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        sys.stderr.write(f"{time.monotonic() - start_s:6.1f} s {peak_gib:5.2f} GiB  {line}\n")

    return say


def main(arguments: list[str] | None = None) -> None:
    """Export both branches."""
    parser = argparse.ArgumentParser(prog="python -m export.full_size", description=__doc__)
    parser.add_argument("--configs", type=Path, required=True, help="folder of the two configs")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    parser.add_argument("--repository", type=Path, required=True, help="where to publish")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    options = parser.parse_args(arguments)
    tokenizer = sorted(file for file in options.tokenizer.iterdir() if file.is_file())
    extra = {"text": tokenizer, "audio": [options.configs / CONFIGS["audio"] / _PREPROCESSOR]}
    for branch, config in CONFIGS.items():
        folder, precision = options.configs / config, options.precision
        export_random(branch, folder, extra[branch], options.repository, precision)


_PREPROCESSOR = "preprocessor_config.json"

if __name__ == "__main__":
    main()
