"""How the classifiers use GPU or cores: what the settings put into their configurations.

https://github.com/triton-inference-server/onnxruntime_backend#onnx-runtime-with-tensorrt-optimization
"""

import ctypes
import hashlib
import json
import os
from typing import Any

from export.manifest import Manifest
from serving.errors import ServingError
from serving.settings import Settings

TENSORRT = "tensorrt"
ENGINES = "/tmp/tensorrt"  # noqa: S108  in every container, also where the root is read-only
"""Keeps engines, which take minutes to build: a volume there outlives the container.

docker/triton.sh makes it: ONNX Runtime makes only the last folder of a path.
"""
_TYPICAL_TOKENS = 32
_TYPICAL_SECONDS = 4
_Shapes = dict[str, str]


def accelerate(config: Any, manifest: Manifest, settings: Settings, gpu: bool = True) -> None:
    """Put instances and accelerator into a classifier's configuration; `gpu`: it will be there."""
    [group] = config.instance_group
    group.count = settings.classifier_instances or 1
    if not gpu:
        _divide_cores(config, group, settings)
    if settings.accelerator == TENSORRT:
        accelerator = config.optimization.execution_accelerators.gpu_execution_accelerator.add()
        accelerator.name = TENSORRT
        precision = "FP16" if manifest.precision == "fp16" else "FP32"
        accelerator.parameters["precision_mode"] = precision
        accelerator.parameters["trt_engine_cache_enable"] = "1"
        accelerator.parameters["trt_engine_cache_path"] = f"{ENGINES}/{_weights(config, manifest)}"
        accelerator.parameters.update(_profile(config, manifest, settings))


def has_engines(config: Any) -> bool:
    """Return whether a classifier's configuration is for one version's engines alone."""
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    return any(one.name == TENSORRT for one in accelerators)


def _weights(config: Any, manifest: Manifest) -> str:
    """Return a folder's name for these weights: ONNX Runtime's own names are blind to them.

    It names an engine, which holds weights, by the names in the graph: those of another version
    of the same architecture are the same.
    """
    files = json.dumps(manifest.files, sort_keys=True)
    return f"{config.name}-{hashlib.sha256(files.encode()).hexdigest()[:12]}"


def _divide_cores(config: Any, group: Any, settings: Settings) -> None:
    """Give each instance its part of the cores, and clips none but their own instance.

    Threads of one instance wait for each other at each operator, so that whatever else wants a
    core stops them all: two instances of half the threads answer more (benchmarks/README.md).
    """
    given, there = settings.cpu_cores, len(os.sched_getaffinity(0))
    cores = there if given in (None, "all") else given
    if config.name == "audio_classifier":
        group.count = settings.classifier_instances or min(2, cores)
        # Gathered clips would only wait for each other, and their attention work on padding.
        config.dynamic_batching.preferred_batch_size[:] = [1]
    if group.count > 1 or settings.cpu_cores:
        threads = max(1, cores // group.count)
        config.parameters["intra_op_thread_count"].string_value = str(threads)


def has_gpu() -> bool:
    """Return whether the classifiers will run on a GPU: ONNX Runtime can, and there is one."""
    import onnxruntime  # slow to load, and only a start asks

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers() and _gpus() > 0


def _gpus() -> int:
    """Return how many GPUs NVIDIA's driver lets this process see, 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    seen = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if seen else 0


def check_accelerator(settings: Settings) -> None:
    """Raise ServingError if this machine's ONNX Runtime lacks what the settings ask for."""
    if settings.accelerator != TENSORRT:
        return
    import onnxruntime  # slow to load, and only a start with TensorRT asks

    available = onnxruntime.get_available_providers()
    if "TensorrtExecutionProvider" not in available:
        raise ServingError(
            "NEUROSENSE_ACCELERATOR=tensorrt, but this ONNX Runtime has no TensorRT (only "
            f"{', '.join(available)}): install onnxruntime-gpu and TensorRT on a machine with an "
            "NVIDIA GPU, or unset it"
        )


def _profile(config: Any, manifest: Manifest, settings: Settings) -> _Shapes:
    """Return the shapes that engines are built for: the least, the usual and the most."""
    rate = manifest.sample_rate_hz or 0
    if manifest.branch == "text":
        lengths = (1, _TYPICAL_TOKENS, manifest.max_tokens or 0)
    else:
        longest = int(settings.max_audio_seconds * rate)
        lengths = (manifest.min_samples or 1, _TYPICAL_SECONDS * rate, longest)
    batches = (1, config.max_batch_size, config.max_batch_size)
    [flat, length], [stride] = config.input, config.batch_input
    return {
        f"trt_profile_{which}_shapes": f"{flat.name}:{rows * values},"
        f"{length.name}:{rows}x1,{stride.target_name[0]}:{rows}x1"
        for which, rows, values in zip(("min", "opt", "max"), batches, lengths, strict=True)
    }
