"""Runs the ONNX files of published versions, without a server."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ensemble.audio import decode
from ensemble.errors import InputError
from ensemble.tokenizing import TextTokenizer
from evaluation.answers import Answer
from evaluation.errors import EvaluationError
from evaluation.items import Item
from export import manifest as manifests
from export.manifest import Branch, Manifest
from export.parity import run
from export.publish import MODELS
from export.versions import versions

Keep = Callable[[Item, Answer], None]


class OnnxFiles:
    """One published version of each branch."""

    def __init__(self, repository: Path, wanted: Mapping[Branch, int | None]) -> None:
        """Take versions by number, the newest for None; nothing is loaded yet."""
        self._repository = repository
        self._wanted = wanted
        self._manifests: dict[Branch, Manifest] = {}
        self._sessions: dict[Branch, Any] = {}
        self._tokenizer: TextTokenizer | None = None

    def models(self, branches: Sequence[Branch]) -> dict[str, dict[str, Any]]:
        """Load the versions of the branches, and return what their manifests say.

        Raises:
            EvaluationError: there is no such version.
        """
        for branch in branches:
            folder = version_folder(self._repository, branch, self._wanted.get(branch))
            self._manifests[branch] = manifests.read(folder)
            self._sessions[branch] = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
            )
            if branch == "text":
                tokenizer = self._repository / "text_tokenizer" / folder.name / "tokenizer.json"
                self._tokenizer = TextTokenizer(tokenizer)
        return {branch: _identity(self._manifests[branch]) for branch in branches}

    def ask(self, items: Sequence[Item], keep: Keep) -> None:
        """Answer every item, one after the other, and hand each answer over."""
        for item in items:
            keep(item, self._answer(item))

    def _answer(self, item: Item) -> Answer:
        try:
            return Answer(text=self._text(item.text), audio=self._audio(item.audio))
        except InputError as error:
            return Answer(error=error.code)

    def _text(self, text: str | None) -> list[float] | None:
        if text is None or self._tokenizer is None:
            return None
        return self._run("text", self._tokenizer.encode([text.encode()])["input_ids"][0])

    def _audio(self, file: Path | None) -> list[float] | None:
        return None if file is None else self._run("audio", decode(file.read_bytes()))

    def _run(self, branch: Branch, row: Any) -> list[float]:
        answer = run(self._sessions[branch], [np.asarray(row)], [len(row)])[0]
        return [float(f"{value:.7g}") for value in answer.tolist()]


def version_folder(repository: Path, branch: Branch, version: int | None) -> Path:
    """Return the classifier's folder of a published version, of the newest for None.

    Raises:
        EvaluationError: there is none.
    """
    model = repository / MODELS[branch][-1]
    there = sorted(versions(model))
    if not there:
        raise EvaluationError(
            f"{repository} holds no {branch} model: publish one (neurosense export --help), or "
            "name another --repository"
        )
    if version is not None and version not in there:
        raise EvaluationError(f"{model} has no version {version}, only {there}")
    return model / str(there[-1] if version is None else version)


def _identity(manifest: Manifest) -> dict[str, Any]:
    names = ("name", "version", "weights", "revision", "precision", "coverage", "calibration")
    return {name: getattr(manifest, name) for name in names}
