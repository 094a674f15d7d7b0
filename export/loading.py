"""Loads a checkpoint's model, tokenizer and feature extractor, offline and quietly."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from ensemble.clips import SAMPLE_RATE_HZ
from export.checkpoint import Checkpoint
from export.errors import ExportError

_LOADERS = {
    "text": AutoModelForSequenceClassification,
    "audio": AutoModelForAudioClassification,
}
_ONLY_FOR_TRAINING = ("masked_spec_embed",)
_MAX_BYTES = 2**31 - 2**20  # protobuf's 2 GiB, less room for the graph itself


def load_model(checkpoint: Checkpoint, attention: str | None = None) -> Any:
    """Return the model in float32, for inference; `attention` None is the library's choice."""
    with _quiet():
        try:
            model, report = _LOADERS[checkpoint.branch].from_pretrained(
                checkpoint.folder,
                dtype=torch.float32,
                attn_implementation=attention,
                output_loading_info=True,
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExportError(
                f"{checkpoint.folder} cannot be loaded ({reason}): check that it is complete and "
                "that this version of transformers knows its architecture"
            ) from error
    _check_weights(checkpoint, model, report)
    return model.eval()


def from_config(checkpoint: Checkpoint) -> Any:
    """Return the model with fresh random weights, for inference."""
    with _quiet():
        config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
        return _LOADERS[checkpoint.branch].from_config(config, dtype=torch.float32).eval()


def _check_weights(checkpoint: Checkpoint, model: Any, report: dict[str, Any]) -> None:
    missing = [key for key in report["missing_keys"] if not key.endswith(_ONLY_FOR_TRAINING)]
    if missing:
        raise ExportError(
            f"{checkpoint.folder} lacks weights ({', '.join(sorted(missing)[:3])} …): they would "
            "be random; choose a checkpoint that was trained as a classifier"
        )
    size_bytes = sum(parameter.numel() * 4 for parameter in model.parameters())
    if size_bytes > _MAX_BYTES:
        raise ExportError(
            f"{checkpoint.folder} has {size_bytes / 2**30:.1f} GiB of weights in float32, and one "
            "ONNX file holds 2 GiB: choose a smaller checkpoint"
        )


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the fast tokenizer.

    Raises:
        ExportError: there is none, or it has no padding token.
    """
    with _quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
        except (OSError, ValueError, ImportError, TypeError, AttributeError) as error:
            raise ExportError(
                f"{checkpoint.folder} has no tokenizer that can be read: add its tokenizer.json"
            ) from error
    if not tokenizer.is_fast:
        raise ExportError(
            f"{checkpoint.folder} has no fast tokenizer: add a tokenizer.json "
            "(transformers.convert_slow_tokenizer makes one)"
        )
    if tokenizer.pad_token_id is None:
        raise ExportError(f"{checkpoint.folder} has no padding token: name one in its tokenizer")
    return tokenizer


def load_feature_extractor(checkpoint: Checkpoint) -> Any:
    """Return the Wav2Vec2FeatureExtractor.

    Raises:
        ExportError: there is none, or it wants something else than 16 kHz waveforms.
    """
    if not (checkpoint.folder / "preprocessor_config.json").is_file():
        raise ExportError(
            f"{checkpoint.folder} has no preprocessor_config.json, which says how to normalise "
            "the samples: add the one that the checkpoint was trained with"
        )
    with _quiet():
        extractor = AutoFeatureExtractor.from_pretrained(checkpoint.folder, local_files_only=True)
    if type(extractor).__name__ != "Wav2Vec2FeatureExtractor" or extractor.feature_size != 1:
        raise ExportError(
            f"{checkpoint.folder} takes {type(extractor).__name__}'s features: only raw waveforms "
            "(Wav2Vec2FeatureExtractor) are supported"
        )
    if extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise ExportError(
            f"{checkpoint.folder} wants {extractor.sampling_rate} Hz, and the audio decoder gives "
            f"{SAMPLE_RATE_HZ} Hz: choose a checkpoint for that rate"
        )
    return extractor


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep loading from talking: what matters of it is checked here."""
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            # Old configs, the published audio one among them, still name a training switch.
            warnings.filterwarnings("ignore", message="Passing `gradient_checkpointing`")
            yield
    finally:
        transformers.logging.set_verbosity(verbosity)
