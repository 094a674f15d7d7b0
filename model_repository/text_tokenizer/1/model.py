"""TEXT [B, 1] to token ids: a shim around `ensemble.tokenizing`."""

from pathlib import Path

import triton_python_backend_utils as pb_utils

from ensemble.step import answer_each
from ensemble.tokenizing import TextTokenizer


class TritonPythonModel:
    """The tokenizer that was published with this version's classifier."""

    def initialize(self, args):
        """Load this version's tokenizer.json."""
        version_folder = Path(args["model_repository"]) / args["model_version"]
        self._tokenizer = TextTokenizer(version_folder / "tokenizer.json")

    def execute(self, requests):
        """Tokenize each request's sentences."""
        return answer_each(
            pb_utils, requests, lambda inputs: self._tokenizer.encode(inputs["TEXT"].ravel())
        )
