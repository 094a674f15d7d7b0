"""Triton's errors as ours."""

import logging
import re

from tritonclient.utils import InferenceServerException

from api.admission import OverloadedError
from api.errors import ApiError, InputError, ModelTimeoutError, TooLargeError, UnavailableError

logger = logging.getLogger("neurosense.api")

NOT_THERE = "model_unavailable"
"""The code of a Triton, a model or a version that is not there."""

# Steps put the code of an input's fault in front; Triton puts the ensemble's name before that.
_INPUT_FAULT = re.compile(r"\[((?:text|audio)_[a-z_]+)\] (.*)", re.DOTALL)


def translated(error: InferenceServerException) -> ApiError:
    """Return what an error of Triton means for the client of ours."""
    message = error.message() or ""
    if error.status() == "StatusCode.DEADLINE_EXCEEDED":
        return timed_out()
    if fault := _INPUT_FAULT.search(message):
        kind = TooLargeError if fault[1] == "audio_too_large" else InputError
        return kind(fault[1], fault[2])
    if "maximum queue size" in message:
        return OverloadedError()
    if "timeout expired" in message:  # in a queue of Triton's
        return timed_out()
    if error.status() in ("StatusCode.UNAVAILABLE", "StatusCode.NOT_FOUND"):
        return UnavailableError(NOT_THERE, "the model is not available at the moment")
    logger.warning("Triton: %s %s", error.status(), message)
    return UnavailableError("model_failed", "the model failed")


def timed_out() -> ModelTimeoutError:
    """Return the error of a deadline that passed."""
    return ModelTimeoutError("timeout", "the models did not answer in time")
