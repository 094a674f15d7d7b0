"""The one error of this package."""


class EvaluationError(Exception):
    """The evaluation cannot be made; the message names the way out."""
