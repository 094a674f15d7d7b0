"""What stops the harness itself."""


class ChaosError(RuntimeError):
    """Nothing can be broken, or what was to break did not; the text says what."""
