"""What the models are measured on: the cores, or an NVIDIA GPU through CUDA."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import onnxruntime
import torch

from benchmarks.points import Device
from benchmarks.products import session_options
from serving.errors import ServingError

_EVERY_MS = 200
_CUDA = "CUDAExecutionProvider"


def check(device: Device) -> None:
    """Raise ServingError, which says what is missing, if nothing can be measured there."""
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        raise ServingError(
            f"torch {torch.__version__} finds no GPU: nvidia-smi must list one, and torch be built "
            "for a CUDA that its driver knows (make bench-gpu-folder fetches such a one)"
        )
    if _CUDA not in onnxruntime.get_available_providers():
        raise ServingError(
            f"ONNX Runtime {onnxruntime.__version__} has no CUDA: install onnxruntime-gpu instead "
            "of onnxruntime (never both; make bench-gpu-folder fetches it)"
        )


def session(file: Path, threads: int, device: Device) -> onnxruntime.InferenceSession:
    """Open an ONNX file there.

    Raises:
        ServingError: ONNX Runtime fell back to the CPU, as it does where CUDA cannot be loaded.
    """
    if device == "cpu":
        providers = ["CPUExecutionProvider"]
    else:
        onnxruntime.preload_dlls()  # those of the nvidia-* wheels
        providers = [_CUDA, "CPUExecutionProvider"]
    opened = onnxruntime.InferenceSession(str(file), session_options(threads), providers=providers)
    if opened.get_providers()[0] != providers[0]:
        raise ServingError(f"ONNX Runtime could not load CUDA for {file}: its log above says why")
    opened.disable_fallback()  # an error would go on on the CPU, unsaid
    return opened


@contextmanager
def busy(device: Device) -> Iterator[Callable[[], float | None]]:
    """Sample how busy the GPU is; after the block, the call returns the mean of 0 to 1."""
    if device == "cpu":
        yield lambda: None
        return
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    command = ["nvidia-smi", *query, "--id=0", f"--loop-ms={_EVERY_MS}"]
    sampler = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    samples: list[float] = []
    try:
        yield lambda: fmean(samples) / 100 if samples else None
    finally:
        sampler.terminate()
        output, _ = sampler.communicate()
        samples += [float(line) for line in output.split() if line.isdigit()]
