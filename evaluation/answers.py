"""What the models said of each item, kept in a file so that a run can go on where it stopped.

The file holds neither texts nor paths: an item is the hash of its input.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evaluation.errors import EvaluationError
from evaluation.items import Item

FILE_NAME = "answers.jsonl"
Models = Mapping[str, Mapping[str, Any]]
"""For each branch that answered: name, version, weights, revision and coverage."""


@dataclass(frozen=True)
class Answer:
    """Probabilities [7] of the branches that ran, `fused` as served; or why there are none."""

    text: list[float] | None = None
    audio: list[float] | None = None
    fused: list[float] | None = None
    error: str | None = None


class Answers:
    """The answers in a folder; `with` closes the file."""

    def __init__(self, folder: Path, models: Models) -> None:
        """Open the file, or make it.

        Raises:
            EvaluationError: it holds answers of other models.
        """
        self.models = models
        self._file = folder / FILE_NAME
        self._found: dict[str, Answer] = {}
        if self._file.exists():
            known, self._found = _read(self._file)
            if known != models:
                raise EvaluationError(
                    f"{self._file} holds the answers of other models ({_names(known)}, now "
                    f"{_names(models)}): choose another --out, or remove it"
                )
        self._opened: IO[str] | None = None

    def __enter__(self) -> "Answers":
        """Go on writing after the last whole line."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"models": self.models})]
        lines += [_line(key, answer) for key, answer in self._found.items()]
        partial = self._file.with_suffix(".partial")
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        partial.replace(self._file)
        self._opened = self._file.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._opened:
            self._opened.close()

    def keep(self, item: Item, answer: Answer) -> None:
        """Remember an answer, on the disk too."""
        self._found[item.key] = answer
        if self._opened:
            self._opened.write(f"{_line(item.key, answer)}\n")

    def of(self, item: Item) -> Answer | None:
        """Return the answer to an item, None while there is none."""
        return self._found.get(item.key)

    def missing(self, items: Iterable[Item]) -> list[Item]:
        """Return the items that are still to be asked, each input once."""
        return list({i.key: i for i in items if i.key not in self._found}.values())


def stored(folder: Path) -> Answers:
    """Return the answers of an earlier run.

    Raises:
        EvaluationError: there are none.
    """
    file = folder / FILE_NAME
    if not file.exists():
        raise EvaluationError(f"{file} is not there: {folder} is no --out of an evaluation")
    return Answers(folder, _read(file)[0])


def _read(file: Path) -> tuple[Models, dict[str, Answer]]:
    found: dict[str, Answer] = {}
    head, *lines = file.read_text(encoding="utf-8").splitlines()
    for line in lines:
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            break  # the run was killed in the middle of it
        key = fields.pop("key")
        found[key] = Answer(**fields)
    return json.loads(head)["models"], found


def _line(key: str, answer: Answer) -> str:
    fields = {name: value for name, value in vars(answer).items() if value is not None}
    return json.dumps({"key": key, **fields})


def _names(models: Models) -> str:
    return ", ".join(f"{model['name']} {model['version']}" for model in models.values())
