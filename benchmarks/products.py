"""Matrix products as the models contain them, each ready to be called and timed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

Products = dict[Callable[[], object], float]
"""Calls, and how many operations (a multiply-add is 2) each makes."""

_SHAPES = ((32, 768, 3072), (256, 768, 3072), (1024, 3072, 768), (6400, 1536, 512))
"""Rows, inputs and outputs: into and out of a feed-forward, an early convolution of 4 s."""
_LARGE = ((4096, 4096, 4096), (8192, 8192, 8192))
_OPSET = 17
_LARGEST_7_BITS = 63  # AVX2's products of 8-bit numbers saturate from 7-bit weights on


def fp32_products(threads: int) -> Products:
    """Return float32 products through ONNX Runtime and through torch."""
    torch.set_num_threads(threads)
    products: Products = {}
    for shape in _SHAPES:
        left, right = _uniform(shape[:2]), _uniform(shape[1:])
        products[_onnx("MatMul", left, right, onnx.TensorProto.FLOAT, threads)] = _flop(shape)
        products[_torch(left, right)] = _flop(shape)
    return products


def int8_products(threads: int) -> Products:
    """Return products of unsigned 8-bit values with signed 7-bit weights, summed in 32 bits."""
    generator = np.random.default_rng(0)
    products: Products = {}
    for shape in _SHAPES:
        left = generator.integers(0, 256, shape[:2], dtype=np.uint8)
        weights = generator.integers(-_LARGEST_7_BITS, _LARGEST_7_BITS + 1, shape[1:], np.int8)
        call = _onnx("MatMulInteger", left, weights, onnx.TensorProto.INT32, threads)
        products[call] = _flop(shape)
    return products


def products_on(device: str, kind: torch.dtype) -> Products:
    """Return products of a type through torch on a device; large ones show a GPU's peak."""
    shapes = (*_SHAPES, *_LARGE) if device != "cpu" else _SHAPES
    products: Products = {}
    for shape in shapes:
        left = torch.rand(shape[:2], device=device).to(kind)
        right = torch.rand(shape[1:], device=device).to(kind)
        products[finished(partial(torch.matmul, left, right), device)] = _flop(shape)
    return products


def finished(call: Callable[[], object], device: str) -> Callable[[], object]:
    """Return a call that waits until the device is done, which a GPU's calls do not."""

    def wait() -> None:
        call()
        torch.cuda.synchronize()

    return call if device == "cpu" else wait


def _flop(shape: tuple[int, ...]) -> float:
    return 2.0 * shape[0] * shape[1] * shape[2]


def _uniform(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def _torch(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> Callable[[], object]:
    tensors = torch.from_numpy(left), torch.from_numpy(right)
    product = torch.empty(len(left), right.shape[1])
    return lambda: torch.matmul(*tensors, out=product)


def _onnx(
    operator: str, left: npt.NDArray[Any], right: npt.NDArray[Any], result: int, threads: int
) -> Callable[[], object]:
    """Return a run of one operator; its weights are constant, so that they are packed once."""
    weights = onnx.numpy_helper.from_array(right, "weights")
    of_left = onnx.helper.np_dtype_to_tensor_dtype(left.dtype)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(operator, ["left", "weights"], ["product"])],
        operator,
        [onnx.helper.make_tensor_value_info("left", of_left, left.shape)],
        [onnx.helper.make_tensor_value_info("product", result, [len(left), right.shape[1]])],
        [weights],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=8
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(["product"], {"left": left})


def session_options(threads: int) -> Any:
    """Return ONNX Runtime's defaults, but with so many threads, which stop once a run is over.

    By default they go on spinning for a while, on cores that whoever runs next would need.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options
