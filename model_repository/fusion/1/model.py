"""Probabilities of one or two branches to one vector: a shim around `ensemble.fusion`."""

import json

import triton_python_backend_utils as pb_utils

from ensemble.fusion import Fusion
from ensemble.step import answer_each


class TritonPythonModel:
    """The fusion strategy that config.pbtxt names."""

    def initialize(self, args):
        """Read the strategy."""
        parameters = json.loads(args["model_config"])["parameters"]
        self._fusion = Fusion(parameters["strategy"]["string_value"])

    def execute(self, requests):
        """Fuse each request's branches."""
        return answer_each(
            pb_utils, requests, lambda inputs: {"PROBABILITIES": self._fusion(inputs)}
        )
