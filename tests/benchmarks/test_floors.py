"""The counted operations are torch's, and the floors follow from them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForAudioClassification
from transformers import AutoModelForSequenceClassification as AutoModelForText

from benchmarks import devices, floors
from benchmarks.floors import CONFIGS, Peaks, floor_s, floors_s, request_floor_s
from benchmarks.operations import Work, audio, text, work
from benchmarks.products import products_on
from export.checkpoint import read
from export.loading import load_model
from serving.errors import ServingError
from tests.export.checkpoints import audio_checkpoint, text_checkpoint


def counted(model: Any, inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(inputs)
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("tokens", "rows"), [(3, 1), (38, 1), (17, 3)])
def test_operations_of_a_text_are_those_that_torch_counts(
    tmp_path: Path, tokens: int, rows: int
) -> None:
    # torch does not count attention that is fused into one operator, as by default.
    folder = text_checkpoint(tmp_path / "roberta", "roberta")
    model = load_model(read("text", folder), attention="eager")
    done = work("text", model.config, tokens, rows)
    assert done.operations == counted(model, torch.full((rows, tokens), 7))


@pytest.mark.parametrize(("samples", "rows"), [(4000, 1), (16000, 2)])
def test_operations_of_a_clip_are_those_that_torch_counts(
    tmp_path: Path, samples: int, rows: int
) -> None:
    # Of an even width, torch computes a frame more than is used.
    folder = audio_checkpoint(tmp_path / "odd", num_conv_pos_embeddings=7)
    model = load_model(read("audio", folder), attention="eager")
    done = work("audio", model.config, samples, rows)
    assert done.operations == counted(model, torch.randn(rows, samples))


def test_the_published_audio_model_takes_57_gflop_for_4_s() -> None:
    config = AutoConfig.from_pretrained(CONFIGS / "audio")
    assert audio(config, 64000).operations == pytest.approx(57e9, rel=0.01)


def test_weights_are_those_of_the_model_less_the_table_of_words() -> None:
    config = AutoConfig.from_pretrained(CONFIGS / "text")
    with torch.device("meta"):
        model = AutoModelForText.from_config(config)
    tables = model.roberta.embeddings
    unread = config.vocab_size + config.max_position_embeddings - 2 * 32
    all_of_them = sum(weight.numel() for weight in model.parameters())
    assert text(config, 32).weights == all_of_them - unread * tables.word_embeddings.embedding_dim


def test_weights_are_those_of_the_audio_model() -> None:
    config = AutoConfig.from_pretrained(CONFIGS / "audio")
    with torch.device("meta"):
        model = AutoModelForAudioClassification.from_config(config)
    everything = sum(weight.numel() for weight in model.parameters())
    assert audio(config, 64000).weights == pytest.approx(everything, rel=1e-3)


def test_a_clip_shorter_than_a_frame_has_no_operations() -> None:
    with pytest.raises(ValueError, match="shorter than the model's first frame"):
        audio(AutoConfig.from_pretrained(CONFIGS / "audio"), 399)


def test_the_floor_is_the_slower_of_computing_and_reading() -> None:
    peaks = Peaks(2, {"fp32": 1e9, "int8": 4e9}, bandwidth=1e9)
    assert floor_s(Work(3e9, 1), peaks, "fp32") == 3.0
    assert floor_s(Work(1, 3e9), peaks, "fp32") == 12.0
    assert floors_s(Work(4e9, 2e9), peaks) == {"fp32": 8.0, "int8": 2.0}
    assert request_floor_s(Work(1e9, 1), Work(2e9, 1), peaks, "fp32") == 3.0


def test_measured_peaks_are_those_of_a_machine() -> None:
    peaks = floors.measure(1, trial_s=0.05)
    assert set(peaks.flops) == {"fp32", "int8"}
    assert all(1e8 < rate < 1e15 for rate in peaks.flops.values())
    assert 1e8 < peaks.bandwidth < 1e14


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_products_of_a_gpu_run_on_any_device(kind: torch.dtype) -> None:
    products = products_on("cpu", kind)
    assert all(flop > 1e8 for flop in products.values())
    answer = min(products, key=lambda call: products[call])()
    assert isinstance(answer, torch.Tensor)
    assert answer.dtype == kind


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU lacks")
def test_without_a_gpu_it_is_said_what_is_missing() -> None:
    devices.check("cpu")
    with pytest.raises(ServingError, match=r"finds no GPU: nvidia-smi must list one"):
        devices.check("cuda")
    with devices.busy("cpu") as share:
        pass
    assert share() is None
