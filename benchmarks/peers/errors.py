"""The one error of this package; its message names the way out."""


class PeerError(RuntimeError):
    """A peer cannot be installed or started, or answers wrongly; the text is for a person."""
