"""Both models in ONNX Runtime, as a service's author writes them: padded batches in NumPy.

The peers with ONNX Runtime share this, so that they differ in nothing but the framework. It
runs in their environments: nothing else of this project may be imported here.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import soundfile
from tokenizers import Tokenizer

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
TEXT_WEIGHT = 0.55
_SHORT = {"neu": "neutral", "hap": "joy", "ang": "anger", "sad": "sadness"}

Floats = npt.NDArray[np.float32]
Answer = dict[str, dict[str, float]]


class EmotionModels:
    """The text and the audio model; probabilities over EMOTIONS out."""

    def __init__(self, threads: int) -> None:
        """Load both; `threads` is how many compute one batch."""
        folder = Path(os.environ["PEER_MODELS"])
        settings = json.loads((folder / "settings.json").read_text())
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(settings["max_tokens"])
        self._tokenizer.enable_padding(pad_id=settings["pad_id"])
        self._normalise: bool = settings["normalise"]
        self._text = _session(folder / "text.onnx", threads)
        self._audio = _session(folder / "audio.onnx", threads)
        self._text_columns = _columns(settings["text_labels"])
        self._audio_columns = _columns(settings["audio_labels"])

    def text(self, sentences: Sequence[str]) -> Floats:
        """Return probabilities [B, 7] of B sentences."""
        encodings = self._tokenizer.encode_batch(list(sentences))
        inputs = {
            "input_ids": np.array([encoding.ids for encoding in encodings]),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
        }
        return _probabilities(self._text, inputs, self._text_columns)

    def audio(self, recordings: Sequence[bytes]) -> Floats:
        """Return probabilities [B, 7] of B 16 kHz WAV files.

        Short ones are filled up with zeros and no mask is passed: what the documentation of
        Wav2Vec2 asks for with checkpoints of this kind (`feat_extract_norm` is `group`).
        """
        clips = [self._samples(recording) for recording in recordings]
        padded = np.zeros((len(clips), max(map(len, clips))), dtype=np.float32)
        for row, clip in enumerate(clips):
            padded[row, : len(clip)] = clip
        return _probabilities(self._audio, {"input_values": padded}, self._audio_columns)

    def _samples(self, recording: bytes) -> Floats:
        samples: Floats = soundfile.read(io.BytesIO(recording), dtype="float32")[0]
        if self._normalise:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        return samples


def fuse(text: Floats, audio: Floats) -> Answer:
    """Return the answer to one request from its two rows of probabilities [7]."""
    fused = TEXT_WEIGHT * text + (1 - TEXT_WEIGHT) * audio
    return {"all_scores": {name.upper(): float(p) for name, p in zip(EMOTIONS, fused, strict=True)}}


def _session(file: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Two models and a server share the cores: a worker that spins takes one from the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def _columns(labels: Sequence[str]) -> list[int]:
    return [EMOTIONS.index(_SHORT.get(label, label)) for label in labels]


def _probabilities(session: Any, inputs: Mapping[str, Any], columns: list[int]) -> Floats:
    (logits,) = session.run(None, inputs)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    spread = np.zeros((len(logits), len(EMOTIONS)), dtype=np.float32)
    spread[:, columns] = powers / powers.sum(axis=-1, keepdims=True)
    return spread
