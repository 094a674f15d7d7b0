"""What Triton says of the weights it serves.

Serving writes into each ensemble's config, under `parameters`, one JSON for each branch: the
checkpoint's name, version and source, and the emotions that it can express. An ensemble of a
candidate says there, too, what trial it is for.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.errors import UnavailableError
from api.models import Branch
from api.schemas import ModelInfo
from api.trial import Trial
from ensemble.labels import EMOTIONS

BRANCHES: tuple[Branch, ...] = ("text", "audio")

_LIFE_S = 5.0
"""A Triton that was restarted may serve other weights under an old version number."""


@dataclass(frozen=True)
class Description:
    """One branch's model and the emotions that it can express."""

    model: ModelInfo
    coverage: frozenset[str]


class _Parameter(ModelInfo):
    coverage: list[str]


def parse(config: Any) -> dict[Branch, Description]:
    """Return the branches that a ModelConfig's parameters describe.

    Raises:
        UnavailableError: they do not say what serving writes there.
    """
    parameters = config.parameters
    present = [branch for branch in BRANCHES if branch in parameters]
    return {branch: _parsed(parameters[branch].string_value) for branch in present}


def parse_trial(branch: Branch, config: Any) -> Trial:
    """Return the trial that the config of a branch's candidate tells of.

    Raises:
        UnavailableError: it does not say what serving writes there.
    """
    try:
        about = json.loads(config.parameters["trial"].string_value)
        return Trial(branch=branch, version=parse(config)[branch].model.version, **about)
    except (KeyError, TypeError, ValueError):
        raise UnavailableError("model_failed", "Triton's config lacks what is on trial") from None


def _parsed(text: str) -> Description:
    try:
        parameter = _Parameter.model_validate_json(text)
    except ValidationError:
        raise UnavailableError("model_failed", "Triton's config lacks what serves") from None
    model = ModelInfo.model_validate(parameter.model_dump())
    return Description(model, frozenset(parameter.coverage) & frozenset(EMOTIONS))


class DescriptionCache:
    """Descriptions by (ensemble, version), each fresh for a few seconds."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], tuple[float, dict[Branch, Description]]] = {}

    def get(self, model: str, version: str) -> dict[Branch, Description] | None:
        """Return the description if it is fresh."""
        expires_s, described = self._entries.get((model, version), (0.0, {}))
        return described if time.monotonic() < expires_s else None

    def last(self, model: str, version: str) -> dict[Branch, Description] | None:
        """Return what was known last of a version that cannot be asked for any more."""
        _, described = self._entries.get((model, version), (0.0, None))
        return described

    def put(self, model: str, version: str, described: dict[Branch, Description]) -> None:
        """Keep a description."""
        self._entries[model, version] = (time.monotonic() + _LIFE_S, described)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
