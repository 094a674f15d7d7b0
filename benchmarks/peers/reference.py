"""The right answers: the checkpoints in PyTorch, one request at a time, in this environment."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import torch
from transformers import (
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from benchmarks.http_requests import encode
from benchmarks.inputs import cut_clips, read_sentences
from benchmarks.peers.check import Expected
from ensemble.clips import SAMPLE_RATE_HZ
from ensemble.fusion import DEFAULT_TEXT_WEIGHT
from ensemble.labels import EMOTIONS, projection
from export.manifest import Branch

_Floats = npt.NDArray[np.float32]


def expected_answers(checkpoints: Mapping[Branch, Path], count: int = 3) -> list[Expected]:
    """Return the first `count` requests of the mix with what PyTorch answers to them.

    Args:
        checkpoints: the folders of the `text` and the `audio` checkpoint.
        count: how many.
    """
    sentences, clips = read_sentences()[:count], cut_clips()[:count]
    said = _text(checkpoints["text"], sentences)
    heard = _audio(checkpoints["audio"], [clip.encoded for clip in clips])
    fused = [
        DEFAULT_TEXT_WEIGHT * text + (1 - DEFAULT_TEXT_WEIGHT) * audio
        for text, audio in zip(said, heard, strict=True)
    ]
    return [
        Expected(encode("multimodal", sentence, clip), _named(scores))
        for sentence, clip, scores in zip(sentences, clips, fused, strict=True)
    ]


def _text(checkpoint: Path, sentences: list[str]) -> list[_Floats]:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    encoded = [tokenizer(one, truncation=True, return_tensors="pt") for one in sentences]
    return [_probabilities(model, one["input_ids"]) for one in encoded]


def _audio(checkpoint: Path, recordings: list[bytes]) -> list[_Floats]:
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    model = AutoModelForAudioClassification.from_pretrained(checkpoint).eval()
    read = [soundfile.read(io.BytesIO(one), dtype="float32")[0] for one in recordings]
    encoded = [extractor(one, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt") for one in read]
    return [_probabilities(model, one["input_values"]) for one in encoded]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _probabilities(model: Any, inputs: torch.Tensor) -> _Floats:
    """Return probabilities [7] of the one row of inputs."""
    labels = torch.softmax(model(inputs).logits, dim=-1)[0].numpy()
    probabilities: _Floats = labels @ projection(model.config.id2label)
    return probabilities


def _named(scores: _Floats) -> dict[str, float]:
    return {name.upper(): float(score) for name, score in zip(EMOTIONS, scores, strict=True)}
