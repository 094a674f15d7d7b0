"""Triton's `onnxruntime` backend in Python, for machines without NVIDIA's C++ one.

Triton takes this file for every model with `backend: "onnxruntime"` when the backend folder
holds no C++ library. It reads the same config.pbtxt: ragged inputs arrive flat and
`batch_input` tells their rows apart, as in
https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/ragged_batching.html
"""

import ctypes
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

# It reports its use to its maker from 1.29 on, by default, and reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# On a Hopper GPU it prefers cuDNN's attention, which takes a tenth of a second to plan each shape
# that it has not met: nearly every batch of sentences or clips as they come (benchmarks/README.md).
os.environ.setdefault("ORT_ENABLE_CUDNN_FLASH_ATTENTION", "0")
import onnxruntime

Array = npt.NDArray[Any]

_CUDA = "CUDAExecutionProvider"
_ACCELERATORS = {"cuda": _CUDA, "tensorrt": "TensorrtExecutionProvider"}


class TritonPythonModel:
    """One instance of one version of one ONNX model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Leave the hand-written configuration as it is."""
        return auto_complete_model_config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the version's model file into a session."""
        config = json.loads(args["model_config"])
        self._ragged = {i["name"] for i in config["input"] if i.get("allow_ragged_batch")}
        self._batch_inputs = config.get("batch_input", [])
        for batch_input in self._batch_inputs:
            if batch_input["kind"] != "BATCH_ITEM_SHAPE":
                raise pb_utils.TritonModelException(f"{batch_input['kind']} is not supported here")
        self._outputs = [output["name"] for output in config["output"]]
        file_name = config.get("default_model_filename") or "model.onnx"
        accelerators = config.get("optimization", {}).get("execution_accelerators", {})
        providers = _providers(
            args["model_instance_kind"], args["model_instance_device_id"], accelerators
        )
        self._session = onnxruntime.InferenceSession(
            Path(args["model_repository"]) / args["model_version"] / file_name,
            _session_options(config.get("parameters", {})),
            providers=providers,
        )
        # After an error ONNX Runtime would go on without the GPU, unsaid and for good.
        self._session.disable_fallback()
        # What reading the graph took: 20 to 30 MB of the published ones.
        ctypes.CDLL(None).malloc_trim(0)
        # One whose libraries cannot be loaded is otherwise left out, with a line in the log.
        if accelerators and self._session.get_providers()[0] != providers[0][0]:
            raise pb_utils.TritonModelException(
                f"{providers[0][0]} could not be loaded: ONNX Runtime's line above says why"
            )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Run all requests that Triton's batcher gathered in one go."""
        inputs = [{t.name(): t.as_numpy() for t in request.inputs()} for request in requests]
        sizes = [len(next(iter(tensors.values()))) for tensors in inputs]
        try:
            outputs = self._session.run(self._outputs, self._feed(inputs))
        except Exception as error:  # noqa: BLE001  ONNX Runtime's errors share no base class
            if len(requests) > 1:  # the fault of one must not become its neighbours'
                return [response for request in requests for response in self.execute([request])]
            failed = pb_utils.TritonError(f"onnxruntime: {error}")
            return [pb_utils.InferenceResponse(error=failed)]
        ends = np.cumsum(sizes)[:-1]
        rows = [np.split(output, ends) for output in outputs]
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor(*pair) for pair in zip(self._outputs, of_request, strict=True)]
            )
            for of_request in zip(*rows, strict=True)
        ]

    def _feed(self, inputs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        feed: dict[str, Array] = {}
        for name in inputs[0]:
            parts = [tensors[name] for tensors in inputs]
            feed[name] = np.concatenate(
                [p.ravel() for p in parts] if name in self._ragged else parts
            )
        for batch_input in self._batch_inputs:
            source = batch_input["source_input"][0]
            shapes = [
                np.tile(tensors[source].shape[1:], (len(tensors[source]), 1)) for tensors in inputs
            ]
            dtype = pb_utils.triton_string_to_numpy(batch_input["data_type"])
            feed[batch_input["target_name"][0]] = np.concatenate(shapes).astype(dtype)
        return feed


def _session_options(parameters: Mapping[str, Mapping[str, str]]) -> Any:
    options = onnxruntime.SessionOptions()
    # The C++ backend's own parameter names and defaults; 0 threads takes every core.
    given = {name: value["string_value"] for name, value in parameters.items()}
    options.intra_op_num_threads = int(given.get("intra_op_thread_count", "0"))
    options.enable_cpu_mem_arena = given.get("enable_mem_arena", "1") == "1"
    for name, value in given.items():
        if name.startswith("session."):  # ONNX Runtime's own configuration entries
            options.add_session_config_entry(name, value)
    return options


def _providers(
    instance_kind: str, device_id: str, accelerators: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Any]:
    """Return what the session is to run on, the first choice first.

    Raises:
        TritonModelException: the configuration names an accelerator that is not there.
    """
    available = onnxruntime.get_available_providers()
    device = {"device_id": device_id}
    providers: list[Any] = ["CPUExecutionProvider"]
    if instance_kind == "GPU" and _CUDA in available:
        onnxruntime.preload_dlls()  # CUDA's, where they come in the nvidia-* wheels
        providers.insert(0, (_CUDA, device))
    for one in accelerators.get("gpu_execution_accelerator", []):
        provider = _ACCELERATORS.get(one["name"], one["name"])
        if instance_kind != "GPU" or provider not in available:
            raise pb_utils.TritonModelException(
                f"the configuration asks for {one['name']}, but this is a {instance_kind} instance "
                f"and ONNX Runtime has {', '.join(available)}: install onnxruntime-gpu and its "
                "libraries on a machine with a GPU, or leave the accelerator out"
            )
        if one["name"] == "tensorrt":
            providers.insert(0, (provider, device | _tensorrt(one.get("parameters", {}))))
    return providers


def _tensorrt(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return ONNX Runtime's options of the C++ backend's parameters."""
    options = {name: value for name, value in parameters.items() if name.startswith("trt_")}
    if path := options.get("trt_engine_cache_path"):
        Path(path).mkdir(parents=True, exist_ok=True)  # ONNX Runtime makes only the last folder
    return options | {"trt_fp16_enable": str(parameters.get("precision_mode") == "FP16")}
