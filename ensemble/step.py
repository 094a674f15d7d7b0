"""The loop that every Python step runs: one answer or one error for each request.

Triton's `triton_python_backend_utils` exists only inside Triton, so it is passed in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ensemble.errors import InputError

Array = npt.NDArray[Any]
Compute = Callable[[dict[str, Array]], Mapping[str, Array]]


def answer_each(pb_utils: Any, requests: Sequence[Any], compute: Compute) -> list[Any]:
    """Return one InferenceResponse for each request; a bad request fails alone.

    `compute` gets the inputs that were sent, by name, and returns the outputs by name.
    """
    return [_answer(pb_utils, request, compute) for request in requests]


def _answer(pb_utils: Any, request: Any, compute: Compute) -> Any:
    inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
    try:
        outputs = compute(inputs)
    except InputError as error:
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
    except Exception as error:  # noqa: BLE001  one request must not take its batch with it
        name = type(error).__name__  # the message could quote what a user sent
        pb_utils.Logger.log_error(f"step failed: {name}")
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"step failed: {name}"))
    tensors = [pb_utils.Tensor(name, np.ascontiguousarray(a)) for name, a in outputs.items()]
    return pb_utils.InferenceResponse(tensors)
