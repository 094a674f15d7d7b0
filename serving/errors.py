"""The one error of this package; its message names the way out."""


class ServingError(RuntimeError):
    """A server cannot be started or kept running; the text is for the person who started it."""
