"""Full-size checkpoints to measure with: the published ones, else random ones of their size.

Both cost the same to run. The random ones are made once, from a fixed seed, out of the
architectures in `benchmarks/full_size`; the text one takes the starter's tokenizer.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from export.hub import cached
from export.manifest import Branch
from export.progress import Progress
from export.random_checkpoint import make
from export.run import DEFAULTS
from export.starter import STARTERS

_CONFIGS = Path(__file__).with_name("full_size")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder as `transformers` loads it, and what to call its weights."""

    branch: Branch
    folder: Path
    weights: str
    random: bool = False
    """Whether its answers mean nothing."""


def full_size(branch: Branch, folder: Path, say: Progress) -> Checkpoint:
    """Return the published checkpoint if the hub's cache has it, else a random one.

    Args:
        branch: text or audio.
        folder: where random ones are kept; a second call finds it there.
        say: is told what takes longer than a moment.
    """
    published = cached(*DEFAULTS[branch])
    if published is not None:
        return Checkpoint(branch, published, f"{DEFAULTS[branch][0]}")
    target, partial = folder / branch, folder / f".{branch}"
    if not target.is_dir():
        say(f"{branch}: making a random full-size checkpoint (once) ...")
        shutil.rmtree(partial, ignore_errors=True)
        make(branch, _CONFIGS / branch, partial, _extra(branch))
        partial.rename(target)
    return Checkpoint(branch, target, "random weights of the published architecture", random=True)


def _extra(branch: Branch) -> list[Path]:
    if branch == "text":
        return [STARTERS / "text" / name for name in _TOKENIZER]
    return [_CONFIGS / "audio" / "preprocessor_config.json"]
