"""AUDIO [B, 1] to 16 kHz samples: a shim around `ensemble.decoding`."""

import json

import triton_python_backend_utils as pb_utils

from ensemble.clips import Limits, padded
from ensemble.decoding import DecodingProcess, ProcessLimits
from ensemble.step import answer_each


class TritonPythonModel:
    """The decoder, with the limits of its config.pbtxt."""

    def initialize(self, args):
        """Start the process that decodes."""
        parameters = json.loads(args["model_config"])["parameters"]
        values = {key: value["string_value"] for key, value in parameters.items()}
        limits, process_limits = Limits.from_strings(values), ProcessLimits.from_strings(values)
        self._process = DecodingProcess(limits, process_limits)

    def execute(self, requests):
        """Decode each request's recordings."""
        return answer_each(pb_utils, requests, self._decode)

    def finalize(self):
        """End it."""
        self._process.close()

    def _decode(self, inputs):
        return padded([self._process.decode(recording) for recording in inputs["AUDIO"].ravel()])
