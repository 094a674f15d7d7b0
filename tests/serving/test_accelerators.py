"""How GPU and cores are used: instances, threads and TensorRT in the configurations."""

import ctypes
import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import onnxruntime
import pytest

import serving
from benchmarks.server import triton_on_free_ports
from export import manifest as manifests
from export.manifest import Branch, Manifest
from export.publish import MODELS
from export.starter import STARTERS, publish_starter
from serving.accelerators import ENGINES, accelerate, check_accelerator, has_gpu
from serving.errors import ServingError
from serving.repository import SOURCE, read_config, render
from serving.settings import Settings

TENSORRT = Settings(accelerator="tensorrt", classifier_instances=2)
EXPECTED: dict[Branch, dict[str, str]] = {
    "text": {
        "min": "input_ids:1,length:1x1,input_ids_stride:1x1",
        "opt": "input_ids:1024,length:32x1,input_ids_stride:32x1",
        "max": "input_ids:16384,length:32x1,input_ids_stride:32x1",
    },
    "audio": {
        "min": "samples:400,length:1x1,samples_stride:1x1",
        "opt": "samples:384000,length:6x1,samples_stride:6x1",
        "max": "samples:2880000,length:6x1,samples_stride:6x1",
    },
}


def configured(branch: Branch, settings: Settings, gpu: bool = True) -> Any:
    config = read_config(SOURCE / MODELS[branch][-1] / "config.pbtxt")
    accelerate(config, manifests.read(STARTERS / branch), settings, gpu)
    return config


@pytest.mark.parametrize("branch", EXPECTED)
def test_unless_asked_nothing_is_set(branch: Branch) -> None:
    config = configured(branch, Settings())
    assert config == read_config(SOURCE / MODELS[branch][-1] / "config.pbtxt")


CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


class Driver:
    """NVIDIA's, as far as it is asked."""

    def __init__(self, gpus: int) -> None:
        self.gpus = gpus

    def cuInit(self, _: int) -> int:  # noqa: N802
        return 0 if self.gpus else NO_DEVICE

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.gpus
        return 0


@pytest.mark.parametrize(
    ("providers", "gpus", "has_one"),
    [
        ([CPU], 1, False),
        ([CUDA, CPU], 2, True),
        ([CUDA, CPU], 0, False),
        ([CUDA, CPU], None, False),
    ],
)
def test_there_is_a_gpu_if_onnxruntime_can_use_one_and_the_driver_has_one(
    providers: list[str], gpus: int | None, has_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime's GPU wheel may lie on a machine that has none, with a driver or without."""

    def load(name: str) -> Driver:
        assert name == "libcuda.so.1"
        if gpus is None:
            raise OSError
        return Driver(gpus)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    monkeypatch.setattr(ctypes, "CDLL", load)
    assert has_gpu() == has_one


@pytest.mark.parametrize(
    ("branch", "cores", "asked", "count", "threads"),
    [
        ("audio", 1, None, 1, None),
        ("audio", 2, None, 2, "1"),
        ("audio", 8, None, 2, "4"),
        ("audio", 8, 1, 1, None),
        ("audio", 2, 3, 3, "1"),
        ("text", 8, None, 1, None),
        ("text", 8, 2, 2, "4"),
    ],
)
def test_on_a_cpu_the_instances_divide_the_cores(
    branch: Branch,
    cores: int,
    asked: int | None,
    count: int,
    threads: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cores))
    config = configured(branch, Settings(classifier_instances=asked), gpu=False)
    assert config.instance_group[0].count == count
    given = config.parameters
    assert (given["intra_op_thread_count"].string_value or None) == threads


@pytest.mark.parametrize(
    ("branch", "given", "count", "threads"),
    [
        ("text", 3, 1, "3"),
        ("audio", 3, 2, "1"),
        ("audio", 8, 2, "4"),
        ("audio", 1, 1, "1"),
        ("audio", "all", 2, "32"),
    ],
)
def test_a_containers_cores_are_given(
    branch: Branch, given: Any, count: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose process sees all of the machine's."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64))
    config = configured(branch, Settings(cpu_cores=given), gpu=False)
    assert config.instance_group[0].count == count
    assert config.parameters["intra_op_thread_count"].string_value == threads


@pytest.mark.parametrize("branch", EXPECTED)
def test_tensorrt_is_told_the_models_limits(branch: Branch) -> None:
    config = configured(branch, TENSORRT)
    [group] = config.instance_group
    assert group.count == 2
    [accelerator] = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    shapes = {
        which: accelerator.parameters[f"trt_profile_{which}_shapes"] for which in EXPECTED[branch]
    }
    assert shapes == EXPECTED[branch]
    path = Path(accelerator.parameters["trt_engine_cache_path"])
    assert str(path.parent) == ENGINES  # ONNX Runtime makes no more than the last folder
    assert path.name.startswith(config.name)


def test_other_weights_have_other_engines() -> None:
    def path(manifest: Manifest) -> str:
        config = read_config(SOURCE / "text_classifier/config.pbtxt")
        accelerate(config, manifest, TENSORRT)
        [one] = config.optimization.execution_accelerators.gpu_execution_accelerator
        return str(one.parameters["trt_engine_cache_path"])

    starter = manifests.read(STARTERS / "text")
    other = dataclasses.replace(starter, files={**starter.files, "model.onnx": "0" * 64})
    assert path(starter) == path(dataclasses.replace(starter, version=2)) != path(other)


def test_the_folder_of_the_engines_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("of a stub"))
    file = Path(serving.__file__).with_name("backends") / "onnxruntime/model.py"
    spec = importlib.util.spec_from_file_location("backend", file)
    assert spec
    assert spec.loader
    backend = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(backend)
    path = tmp_path / "tensorrt/text_classifier-0"
    given = {"precision_mode": "FP16", "trt_engine_cache_path": str(path)}
    assert backend._tensorrt(given)["trt_engine_cache_path"] == str(path)
    assert path.is_dir()


@pytest.mark.parametrize(("precision", "mode"), [("fp16", "FP16"), ("fp32", "FP32")])
def test_engines_have_the_graphs_precision(precision: Any, mode: str, tmp_path: Path) -> None:
    branches: tuple[Branch, ...] = ("text", "audio")
    published = {b: publish_starter(b, tmp_path, precision=precision) for b in branches}
    render(tmp_path, published, TENSORRT)
    for branch in branches:
        config = read_config(tmp_path / MODELS[branch][-1] / "config.pbtxt")
        [accelerator] = config.optimization.execution_accelerators.gpu_execution_accelerator
        assert accelerator.parameters["precision_mode"] == mode


def test_serve_refuses_tensorrt_where_there_is_none() -> None:
    check_accelerator(Settings())
    with pytest.raises(ServingError, match=r"NEUROSENSE_ACCELERATOR=tensorrt.*CPUExecution"):
        check_accelerator(TENSORRT)


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROSENSE_ACCELERATOR", "openvino")
    monkeypatch.setenv("NEUROSENSE_CLASSIFIER_INSTANCES", "0")
    with pytest.raises(ServingError) as refused:
        Settings.load()
    assert "NEUROSENSE_ACCELERATOR: Input should be 'cuda' or 'tensorrt'" in str(refused.value)
    assert "NEUROSENSE_CLASSIFIER_INSTANCES: " in str(refused.value)


@pytest.mark.slow
def test_a_triton_without_a_gpu_says_what_is_missing(tmp_path: Path) -> None:
    branches: tuple[Branch, ...] = ("text", "audio")
    published = {b: publish_starter(b, tmp_path / "models") for b in branches}
    render(tmp_path / "models", published, TENSORRT)
    with (
        pytest.raises(ServingError),
        triton_on_free_ports(tmp_path / "models", tmp_path / "triton.log"),
    ):
        pass
    log = (tmp_path / "triton.log").read_text()
    assert "the configuration asks for tensorrt, but this is a CPU instance" in log


def test_a_gpu_gets_more_clips_at_a_time_and_more_steps(tmp_path: Path) -> None:
    served = {branch: publish_starter(branch, tmp_path) for branch in get_args(Branch)}
    render(tmp_path, served, Settings(audio_batch_size=32, step_instances=5))
    configs = {path.parent.name: read_config(path) for path in tmp_path.glob("*/config.pbtxt")}
    assert configs["audio_classifier"].max_batch_size == 32
    own = {path.parent.name: read_config(path) for path in SOURCE.glob("*/config.pbtxt")}
    for name in ("audio_decoder", "text_tokenizer", "fusion"):
        assert configs[name].instance_group[0].count == 5
    for name in ("text_classifier", "emotion_audio"):
        assert configs[name].max_batch_size == own[name].max_batch_size
