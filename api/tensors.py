"""Between bytes and probabilities here and Triton's tensors there."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferInput, InferResult
from tritonclient.utils import np_to_triton_dtype

from api.errors import UnavailableError
from api.models import Scores
from ensemble.labels import EMOTIONS


def from_bytes(value: bytes) -> npt.NDArray[Any]:
    """Return a BYTES array [1, 1]."""
    return np.array([[value]], dtype=np.object_)


def to_input(name: str, array: npt.NDArray[Any]) -> InferInput:
    """Return a request's tensor."""
    tensor = InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor


def to_scores(result: InferResult, output: str, covered: Collection[str]) -> Scores:
    """Return an output [1, 7] by emotion, only the covered ones.

    Raises:
        UnavailableError: it is missing, has another shape, or is not finite.
    """
    array = result.as_numpy(output)
    if array is None or array.shape != (1, len(EMOTIONS)) or not np.isfinite(array).all():
        raise UnavailableError("model_failed", "the model gave no probabilities")
    probabilities = zip(EMOTIONS, array[0].tolist(), strict=True)
    return {emotion: value for emotion, value in probabilities if emotion in covered}


def truncated_tokens(result: InferResult) -> int:
    """Return TRUNCATED_TOKENS, 0 where the ensemble has none."""
    array = result.as_numpy("TRUNCATED_TOKENS")
    return 0 if array is None else int(array.item())
