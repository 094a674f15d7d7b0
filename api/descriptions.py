"""What Triton says of the weights it serves.

Serving writes into each ensemble's config, under `parameters`, one JSON for each branch: the
checkpoint's name, version and source, and the emotions that it can express. An ensemble of a
candidate says there, too, what trial it is for.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from api.errors import UnavailableError
from api.models import Branch
from api.schemas import ModelInfo
from api.trial import Trial
from ensemble.labels import EMOTIONS

BRANCHES: tuple[Branch, ...] = ("text", "audio")


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
