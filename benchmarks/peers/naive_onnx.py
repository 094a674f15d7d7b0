"""Both checkpoints as ONNX, exported as a tutorial does: the model unchanged, axes dynamic.

What the peers with ONNX Runtime serve, and what ours is compared to.
"""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from export.manifest import Branch

TEXT, AUDIO, TOKENIZER, SETTINGS = "text.onnx", "audio.onnx", "tokenizer.json", "settings.json"
_OPSET = 17


def naive_onnx(
    folder: Path, checkpoints: Mapping[Branch, Path], say: Callable[[str], None]
) -> Path:
    """Return the folder that holds the two graphs, the tokenizer and what a client must know.

    Args:
        folder: is written once; a second call with the same checkpoints finds it there.
        checkpoints: the folders of both checkpoints.
        say: is told what takes longer than a moment.
    """
    made_from = {branch: str(path.absolute()) for branch, path in checkpoints.items()}
    if _made_from(folder) == made_from:
        return folder
    say("exporting both checkpoints naively to ONNX (once) ...")
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    settings = _text(checkpoints["text"], partial) | _audio(checkpoints["audio"], partial)
    content = json.dumps({"made_from": made_from, **settings}, indent=2)
    (partial / SETTINGS).write_text(content + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _made_from(folder: Path) -> object:
    settings = folder / SETTINGS
    return json.loads(settings.read_text())["made_from"] if settings.exists() else None


def _text(checkpoint: Path, folder: Path) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    example = tokenizer(["one sentence", "and a second, longer one"], padding=True)
    names = ["input_ids", "attention_mask"]
    tensors = tuple(torch.tensor(example[name]) for name in names)
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    _export(model, tensors, axes, folder / TEXT)
    return {
        "text_labels": _labels(model),
        "max_tokens": min(tokenizer.model_max_length, 512),
        "pad_id": model.config.pad_token_id,
    }


def _audio(checkpoint: Path, folder: Path) -> dict[str, Any]:
    model = AutoModelForAudioClassification.from_pretrained(checkpoint)
    axes = {"input_values": {0: "batch", 1: "samples"}}
    _export(model, (torch.randn(2, 16000),), axes, folder / AUDIO)
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    return {"audio_labels": _labels(model), "normalise": extractor.do_normalize}


def _labels(model: Any) -> list[str]:
    return [model.config.id2label[index] for index in range(model.config.num_labels)]


class _Logits(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The model without its further outputs, which a graph would have to compute."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return logits [B, labels]."""
        logits: torch.Tensor = self.model(*inputs).logits
        return logits


def _export(
    model: Any, example: tuple[torch.Tensor, ...], axes: dict[str, dict[int, str]], file: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that tracing takes for constants
        torch.onnx.export(
            _Logits(model.eval()),
            example,
            str(file),
            input_names=list(axes),
            output_names=["logits"],
            dynamic_axes={**axes, "logits": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )
