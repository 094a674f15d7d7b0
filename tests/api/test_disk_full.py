"""A recording that finds no place on the disk is refused like other things that pass."""

import io

import httpx
import pytest

from tests.api.asking import assert_problem
from tests.recordings import wav


class Full(io.FileIO):
    """The device that has no space left, as a file."""

    def truncate(self, size: int | None = None, /) -> int:
        return size or 0


@pytest.mark.parametrize("module", ["api.timeline", "api.sound"])
def test_no_space_left(
    client: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    module: str,
) -> None:
    monkeypatch.setattr(f"{module}.TemporaryFile", lambda **_: Full("/dev/full", "r+"))
    response = client.post("/analyze/timeline", files={"audio": wav(2)}, timeout=60)
    assert_problem(response, 503, "disk_full")
    assert int(response.headers["Retry-After"]) > 0
    assert "disk of NEUROSENSE_SPOOL_DIR is full" in caplog.text
