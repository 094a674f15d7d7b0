"""The hand-written configurations agree with each other and with the emotions."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ensemble.labels import EMOTIONS
from serving.repository import SOURCE, read_config
from serving.steps import models_without

MODELS = sorted(path.parent.name for path in SOURCE.glob("*/config.pbtxt"))
ENSEMBLES = [name for name in MODELS if name.startswith("emotion_")]
STEPS = [name for name in MODELS if name not in ENSEMBLES]
TYPE_FP32 = 11
KIND_AUTO = 0


def config(model: str) -> Any:
    return read_config(SOURCE / model / "config.pbtxt")


def tensors(model: str, side: str) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in getattr(config(model), side)}


def test_the_eight_models_of_the_contract_are_there() -> None:
    assert MODELS == [
        "audio_classifier",
        "audio_decoder",
        "emotion_audio",
        "emotion_multimodal",
        "emotion_text",
        "fusion",
        "text_classifier",
        "text_tokenizer",
    ]


@pytest.mark.parametrize("model", MODELS)
def test_name_is_the_folder_and_no_gpu_or_cpu_is_fixed_for_a_classifier(model: str) -> None:
    assert config(model).name == model
    if model.endswith("classifier"):
        assert config(model).backend == "onnxruntime"
        [group] = config(model).instance_group
        assert group.kind == KIND_AUTO


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_are_the_seven_emotions_in_order(model: str) -> None:
    for output in config(model).output:
        if output.name.lower().endswith(("probabilities", "coverage")):
            assert list(output.dims) == [len(EMOTIONS)]
            assert output.data_type == TYPE_FP32
        if output.name.lower().endswith("probabilities"):
            labels = (SOURCE / model / output.label_filename).read_text().split()
            assert tuple(labels) == EMOTIONS


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_every_step_is_wired_to_tensors_that_exist(ensemble: str) -> None:
    whole = config(ensemble)
    made = {tensor.name for tensor in whole.input}
    for step in whole.ensemble_scheduling.step:
        inputs, outputs = tensors(step.model_name, "input"), tensors(step.model_name, "output")
        required = {name for name, tensor in inputs.items() if not tensor.optional}
        assert required <= set(step.input_map) <= set(inputs), step.model_name
        assert set(step.output_map) <= set(outputs), step.model_name
        assert set(step.input_map.values()) <= made, step.model_name
        made |= set(step.output_map.values())
    assert {tensor.name for tensor in whole.output} <= made


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_an_ensembles_tensor_has_the_type_and_dims_of_the_steps(ensemble: str) -> None:
    whole = config(ensemble)
    seen = {t.name: (t.data_type, list(t.dims)) for t in [*whole.input, *whole.output]}
    for step in whole.ensemble_scheduling.step:
        for side, names in (("input", step.input_map), ("output", step.output_map)):
            for name, outer in names.items():
                tensor = tensors(step.model_name, side)[name]
                shape = tensor.data_type, list(tensor.dims)
                assert seen.setdefault(outer, shape) == shape, (step.model_name, name)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_an_ensemble_takes_no_larger_batch_than_its_steps(ensemble: str) -> None:
    whole = config(ensemble)
    for step in whole.ensemble_scheduling.step:
        assert whole.max_batch_size <= config(step.model_name).max_batch_size


def test_an_optional_input_is_optional_in_every_step_that_gets_it() -> None:
    whole = config("emotion_multimodal")
    optional = {tensor.name for tensor in whole.input if tensor.optional}
    assert optional == {"TEXT_WEIGHT"}
    for step in whole.ensemble_scheduling.step:
        for name, outer in step.input_map.items():
            if outer in optional:
                assert tensors(step.model_name, "input")[name].optional


@pytest.mark.parametrize("model", ["text_classifier", "audio_classifier"])
def test_a_classifier_is_told_the_row_widths_of_its_ragged_input(model: str) -> None:
    [ragged] = [tensor for tensor in config(model).input if tensor.allow_ragged_batch]
    [widths] = config(model).batch_input
    assert list(widths.source_input) == [ragged.name]
    assert list(widths.target_name) == [f"{ragged.name}_stride"]
    assert config(model).HasField("dynamic_batching")


@pytest.mark.parametrize("model", STEPS)
def test_no_queue_is_endless(model: str) -> None:
    policy = config(model).dynamic_batching.default_queue_policy
    assert 0 < policy.max_queue_size < 1000
    assert policy.default_timeout_microseconds > 0


def test_without_a_branch_what_needs_none_of_its_steps_is_left() -> None:
    assert models_without(SOURCE, "audio") == [
        "emotion_text", "fusion", "text_classifier", "text_tokenizer"
    ]  # fmt: skip
    assert models_without(SOURCE, "text") == [
        "audio_classifier", "audio_decoder", "emotion_audio", "fusion"
    ]  # fmt: skip


def test_a_shim_computes_nothing_itself() -> None:
    for shim in SOURCE.glob("*/*/model.py"):
        assert len(shim.read_text().splitlines()) < 40, shim
        assert "numpy" not in shim.read_text(), shim


def test_tensors_that_the_steps_make_and_take_have_the_same_batch_dimension() -> None:
    for before, after in pairwise(["text_tokenizer", "text_classifier"]):
        assert config(before).max_batch_size == config(after).max_batch_size


def test_the_repository_holds_no_weights() -> None:
    assert not [path for path in Path(SOURCE).rglob("*") if path.suffix in {".onnx", ".bin"}]
