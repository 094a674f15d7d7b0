"""Long recordings in their process: piece by piece, and ended whatever the file does."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from ensemble.audio import decode
from ensemble.errors import InputError
from ensemble.recording import PIECE_SECONDS, RecordingLimits, RecordingProcess
from tests.recordings import av_encoded, encoded, speech, voice


@contextlib.contextmanager
def opened(
    path: Path, content: bytes, limits: RecordingLimits | None = None
) -> Iterator[RecordingProcess]:
    path.write_bytes(content)
    with path.open("rb") as file:
        process = RecordingProcess(file.fileno(), limits or RecordingLimits())
        try:
            yield process
        finally:
            process.close()
            assert not psutil.pid_exists(process.pid)


def pieces(process: RecordingProcess) -> list[bytes]:
    found = []
    while piece := process.next_piece():
        found.append(piece)
    return found


def test_16_bits_come_out_as_they_went_in(tmp_path: Path) -> None:
    wav = encoded(voice(70), 16_000, "WAV", "PCM_16")
    with opened(tmp_path / "a", wav) as process:
        found = pieces(process)
    assert [len(one) // 32_000 for one in found] == [PIECE_SECONDS, PIECE_SECONDS, 10]
    assert b"".join(found) == wav[44:]


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "M4A"])
def test_the_samples_are_those_of_a_clip(tmp_path: Path, rate_hz: int, kind: str) -> None:
    samples = speech(1, rate_hz)
    if kind == "M4A":
        file = av_encoded(samples, rate_hz, "mp4", "aac")
    else:
        file = encoded(samples, rate_hz, kind)
    with opened(tmp_path / "a", file) as process:
        found = np.frombuffer(b"".join(pieces(process)), "<i2") / 32768
    whole = decode(file)
    assert len(found) == pytest.approx(len(whole), abs=2)
    shortest = min(len(found), len(whole))
    assert np.abs(found[:shortest] - whole[:shortest]).max() < 2e-3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "audio_undecodable"),
        (b"no recording" * 100, "audio_undecodable"),
        (encoded(voice(2), 16_000, "WAV")[:20_000], "audio_undecodable"),
        (encoded(voice(12), 16_000, "FLAC"), "audio_too_long"),
        (encoded(np.zeros((16_000, 9), np.float32), 16_000, "WAV"), "audio_too_many_channels"),
        (encoded(np.full(16_000, np.nan, np.float32), 16_000, "WAV", "FLOAT"), "audio_not_finite"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    limits = RecordingLimits(max_seconds=10)
    with opened(tmp_path / "a", content, limits) as process, pytest.raises(InputError) as caught:
        pieces(process)
    assert caught.value.code == code


def test_hours_that_unpack_from_little_stop_at_the_limit(tmp_path: Path) -> None:
    hours = encoded(np.zeros(3600 * 8000, np.int16), 8000, "FLAC")
    limits = RecordingLimits(max_seconds=600)
    with opened(tmp_path / "a", hours, limits) as process, pytest.raises(InputError) as caught:
        pieces(process)
    assert caught.value.code == "audio_too_long"


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "a", encoded(voice(70), 16_000, "WAV")) as process:
        assert process.next_piece()
        os.kill(process.pid, 9)
        with pytest.raises(InputError, match="decoder failed"):
            process.next_piece()


def test_closing_ends_a_wait(tmp_path: Path) -> None:
    reading, writing = os.pipe()  # a file that never comes
    process = RecordingProcess(reading, RecordingLimits(), piece_timeout_s=60)
    found: list[str] = []

    def wait() -> None:
        try:
            process.next_piece()
        except InputError as error:
            found.append(error.code)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(1.5)
    process.close()
    waiter.join(10)
    os.close(reading)
    os.close(writing)
    assert found == ["audio_undecodable"]


def test_a_file_that_never_ends_is_given_up(tmp_path: Path) -> None:
    with opened(tmp_path / "a", encoded(voice(70), 16_000, "WAV")) as process:
        process.next_piece()
        psutil.Process(process.pid).suspend()
        process._timeout_s = 0.5
        with pytest.raises(InputError) as caught:
            process.next_piece()
    assert caught.value.code == "audio_too_slow"
