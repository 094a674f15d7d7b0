"""AUDIO [B, 1] to 16 kHz samples: a shim around `ensemble.audio`."""

import json

import triton_python_backend_utils as pb_utils

from ensemble.audio import Limits, decode_batch
from ensemble.step import answer_each


class TritonPythonModel:
    """The decoder, with the limits of its config.pbtxt."""

    def initialize(self, args):
        """Read the limits."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._limits = Limits.from_strings(
            {key: value["string_value"] for key, value in parameters.items()}
        )

    def execute(self, requests):
        """Decode each request's recordings."""
        return answer_each(pb_utils, requests, self._decode)

    def _decode(self, inputs):
        return decode_batch(inputs["AUDIO"].ravel(), self._limits)
