"""A Triton whose models are swapped, over gRPC: the embedded one, or any other."""

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tritonclient.grpc import InferenceServerClient, InferInput, InferResult
from tritonclient.utils import InferenceServerException

from serving import control
from serving.errors import ServingError

LOAD_TIMEOUT_S = 600.0
_CALL_TIMEOUT_S = 30.0
_READ_TIMEOUT_S = 5.0
_POLL_S = 0.05
_READY = "READY"
_GONE = ("", "UNAVAILABLE")
_TOO_LATE, _AWAY = "StatusCode.DEADLINE_EXCEEDED", "StatusCode.UNAVAILABLE"
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_reconnect_backoff_ms", 1000),  # one that is started again is soon noticed
]


class SilentError(ServingError):
    """Triton did not answer in time, or is not there any more."""


class SwappedTriton:
    """Explicit model control is needed (`--model-control-mode=explicit`).

    Every method raises ServingError, with what Triton says, where it does not do what is asked.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._client = InferenceServerClient(url, channel_args=_OPTIONS)
        self._headers = control.headers(key) if key else {}

    def __enter__(self) -> "SwappedTriton":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the channel."""
        self._client.close()

    def answers(self, *, required: bool = False) -> bool:
        """Whether there is a Triton at all; `required` makes it an error that there is none."""
        try:
            return bool(self._client.is_server_live(client_timeout=_CALL_TIMEOUT_S))
        except InferenceServerException:
            if required:
                raise ServingError(f"no Triton answers at {self.url}") from None
            return False

    def states(self, model: str) -> dict[int, str]:
        """Return the state of each version that Triton knows of."""
        return {
            int(one.version): one.state
            for one in self._index()
            if one.name == model and one.version
        }

    def serving(self) -> set[str]:
        """Return the models of which a version answers."""
        return {one.name for one in self._index() if one.state == _READY}

    def loaded(self, model: str) -> set[int]:
        """Return the versions that answer."""
        return {version for version, state in self.states(model).items() if state == _READY}

    def serves(self, model: str, versions: Collection[int]) -> bool:
        """Return whether these versions answer, and no other one does; after a load they do."""
        deadline_s = time.monotonic() + _READ_TIMEOUT_S
        while self.loaded(model) != set(versions):
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True

    def load(self, model: str) -> None:
        """Have Triton serve what the repository says now; returns when it does."""
        self._asked(
            self._client.load_model, model, headers=self._headers, client_timeout=LOAD_TIMEOUT_S
        )

    def unload(self, model: str) -> None:
        """Have Triton serve a model no more; requests that it took are answered."""
        self._asked(
            self._client.unload_model, model, headers=self._headers, client_timeout=LOAD_TIMEOUT_S
        )

    def config(self, model: str) -> Any:
        """Return the ModelConfig that is served."""
        found = self._asked(self._client.get_model_config, model, client_timeout=_CALL_TIMEOUT_S)
        return found.config

    def wait_unloaded(self, model: str, version: int, timeout_s: float) -> bool:
        """Return whether a version's last request ended, and it was unloaded, in time."""
        deadline_s = time.monotonic() + timeout_s
        while self.states(model).get(version, "") not in _GONE:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True

    def infer(self, model: str, version: int, tensors: list[InferInput]) -> InferResult:
        """Return one version's answer."""
        return self._asked(
            self._client.infer,
            model,
            tensors,
            model_version=str(version),
            client_timeout=_CALL_TIMEOUT_S,
        )

    def _index(self) -> Any:
        index = self._asked(
            self._client.get_model_repository_index,
            headers=self._headers,
            client_timeout=_CALL_TIMEOUT_S,
        )
        return index.models

    def _asked(self, call: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except InferenceServerException as error:
            if silent := self._silent(error):
                raise SilentError(f"Triton at {self.url} {silent}; its log may say why") from None
            raise ServingError(f"Triton at {self.url}: {_told(error)}") from None

    def _silent(self, error: InferenceServerException) -> str | None:
        """Return in words whether it was no answer at all, which an error of a model's is."""
        if error.status() == _TOO_LATE:
            return "does not answer"
        if error.status() == _AWAY and not self.answers():
            return "cannot be reached"
        return None


def _told(error: InferenceServerException) -> str:
    message = str(error.message() or error)
    if "restricted" in message:
        return (
            "its administration is closed: name the file of its key with --control-key-file "
            "(`neurosense serve` keeps it in triton_control_key in the state folder)"
        )
    if "explicit model load / unload is not allowed" in message:
        return f"{message}: start it with --model-control-mode=explicit"
    return message


def read_key(file: Path) -> str:
    """Return the key of Triton's administration; ServingError where the file has none."""
    try:
        key = file.read_text().strip()
    except FileNotFoundError:
        key = ""
    if not key:
        raise ServingError(f"{file} holds no key of Triton's administration")
    return key
