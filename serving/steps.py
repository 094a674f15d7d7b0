"""The processes of Triton's steps: which model each one runs, and which of them are lost."""

import contextlib
from collections.abc import Collection
from pathlib import Path

from export.manifest import Branch
from export.versions import MODELS
from serving.configs import FILE_NAME, read_config
from serving.process_folders import children, lost_children

STEPS: dict[Branch, tuple[str, ...]] = {
    "text": MODELS["text"],
    "audio": ("audio_decoder", *MODELS["audio"]),
}
"""The models of each branch that have processes."""

_FOLDER = "models"  # how Triton is told the repository (serving/triton.py)


class Steps:
    """Of one life of Triton. Who has ended has no name any more, so each is noted before."""

    def __init__(self, triton: int) -> None:
        self._triton = triton
        self._models: dict[int, str] = {}

    def lost(self) -> list[str]:
        """Return the models whose processes have ended or are stopped; "" for one unknown."""
        states = children(self._triton)
        for pid in states.keys() - self._models.keys():
            if model := _model(pid):
                self._models[pid] = model
        return sorted(self._models.get(pid, "") for pid in lost_children(self._triton, states))


def branch_of(models: Collection[str]) -> Branch | None:
    """Return the branch that all these models belong to, None if there is not one."""
    of = (branch for branch, steps in STEPS.items() if models and set(models) <= set(steps))
    return next(of, None)


def models_without(repository: Path, branch: Branch) -> list[str]:
    """Return the models of a repository that work without a branch's steps."""
    gone = set(STEPS[branch])
    found = []
    for file in sorted(repository.glob(f"*/{FILE_NAME}")):
        needed = {step.model_name for step in read_config(file).ensemble_scheduling.step}
        if not gone & {file.parent.name, *needed}:
            found.append(file.parent.name)
    return found


def _model(pid: int) -> str | None:
    with contextlib.suppress(OSError):
        for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            _, folder, rest = word.partition(f"/{_FOLDER}/")
            if folder:
                return rest.partition("/")[0]
    return None
