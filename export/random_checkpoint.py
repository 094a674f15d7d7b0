"""A checkpoint with seeded random weights, at any size, from nothing but a config.json.

It costs what the trained one costs, makes the same graph and passes the same gate; what it
says about a sentence or a clip means nothing.
"""

import shutil
from pathlib import Path
from typing import Any

import torch

from export.checkpoint import Checkpoint, read
from export.loading import from_config
from export.manifest import Branch

_SPREAD = 1.5  # standard deviation of the logits: the likeliest label gets about 0.3 to 0.9
_PROBES = 8


def make(branch: Branch, config: Path, folder: Path, extra: list[Path], seed: int = 0) -> None:
    """Write a checkpoint to `folder`.

    Args:
        branch: text or audio.
        config: the folder that holds config.json.
        folder: is made.
        extra: files to copy beside it: tokenizer or preprocessor.
        seed: the same seed, the same weights.
    """
    folder.mkdir(parents=True)
    checkpoint = read(branch, config)
    torch.manual_seed(seed)
    model = from_config(checkpoint)
    _spread_logits(checkpoint, model)
    model.save_pretrained(folder)
    for file in extra:
        shutil.copyfile(file, folder / file.name)


@torch.no_grad()  # type: ignore[untyped-decorator]
def _spread_logits(checkpoint: Checkpoint, model: Any) -> None:
    """Scale the last layer: fresh weights give every input the same flat answer."""
    logits = torch.cat([model(probe).logits for probe in _probes(checkpoint.branch, model.config)])
    *_, last = (
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == len(checkpoint.labels)
    )
    scale = _SPREAD / logits.std(dim=0).mean()
    last.bias.copy_((last.bias - logits.mean(dim=0)) * scale)
    last.weight.mul_(scale)


def _probes(branch: Branch, config: Any) -> list[torch.Tensor]:
    if branch == "text":
        return [torch.randint(5, config.vocab_size, (1, 5 + n)) for n in range(_PROBES)]
    return [torch.randn(1, 4000 + 500 * n) * 0.1 for n in range(_PROBES)]
