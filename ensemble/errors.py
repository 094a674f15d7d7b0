"""The one error that a step answers with when the input is at fault.

Triton carries an error as text only, so the code travels in front of the detail:
``[audio_undecodable] no audio stream found``. The API splits it again.
"""


class InputError(ValueError):
    """The request cannot be answered as it is; `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"[{code}] {detail}")
        self.code = code
        self.detail = detail
