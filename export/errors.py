"""What an export says when it cannot go on."""


class ExportError(RuntimeError):
    """An expected failure. The message is for people and names the way out."""
