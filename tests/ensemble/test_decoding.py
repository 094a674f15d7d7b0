"""Whatever a recording does to its decoder, the next one is answered."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from ensemble.audio import decode
from ensemble.clips import Limits
from ensemble.decoding import DecodingProcess, ProcessLimits
from ensemble.errors import InputError
from serving.repository import SOURCE, read_config
from tests.recordings import wav
from tests.serving.test_process import wait_until_gone

HOSTILE = "tests.ensemble.hostile_worker"
GOOD = wav(0.5)


@pytest.fixture
def hostile() -> Iterator[DecodingProcess]:
    with DecodingProcess(Limits(), ProcessLimits(timeout_s=60), worker=HOSTILE) as process:
        yield process


@contextmanager
def impatient(process: DecodingProcess) -> Iterator[None]:
    """For what does not end: everything else may take long on a busy machine."""
    process._timeout_s = 2
    yield
    process._timeout_s = 60


def code_of(process: DecodingProcess, encoded: bytes) -> str:
    with pytest.raises(InputError) as caught:
        process.decode(encoded)
    return caught.value.code


def assert_works(process: DecodingProcess) -> None:
    np.testing.assert_array_equal(process.decode(GOOD), decode(GOOD))


@pytest.mark.parametrize(
    "deed", ["segfault", "abort", "exit", "allocate", "malloc", "bug", "lie"]
)  # fmt: skip
def test_a_decoder_that_dies_costs_its_own_request(hostile: DecodingProcess, deed: str) -> None:
    before = hostile.pid
    assert code_of(hostile, deed.encode()) == "audio_undecodable"
    assert hostile.pid != before
    assert wait_until_gone(before)
    assert_works(hostile)


@pytest.mark.parametrize("deed", ["hang", "spin"])
def test_a_decoder_that_does_not_end_is_ended(hostile: DecodingProcess, deed: str) -> None:
    before = hostile.pid
    started_s = time.monotonic()
    with impatient(hostile):
        assert code_of(hostile, deed.encode()) == "audio_too_slow"
    assert time.monotonic() - started_s < 30
    assert wait_until_gone(before)
    assert_works(hostile)


def test_an_error_of_the_input_keeps_the_process() -> None:
    with DecodingProcess(Limits(max_seconds=0.2), ProcessLimits()) as process:
        before = process.pid
        assert code_of(process, b"no recording") == "audio_undecodable"
        assert code_of(process, GOOD) == "audio_too_long"
        assert process.pid == before


def test_one_killed_from_outside_costs_nothing(hostile: DecodingProcess) -> None:
    os.kill(hostile.pid, signal.SIGKILL)
    assert_works(hostile)
    os.kill(hostile.pid, signal.SIGSTOP)
    with impatient(hostile):
        assert code_of(hostile, GOOD) == "audio_too_slow"
    assert_works(hostile)


def test_what_the_libraries_print_stays_out_of_the_logs(
    hostile: DecodingProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    assert code_of(hostile, b"write") == "audio_undecodable"
    assert "noise" not in "".join(capfd.readouterr())


def test_two_at_once_do_not_disturb_each_other() -> None:
    limits = ProcessLimits(timeout_s=60)
    with (
        DecodingProcess(Limits(), limits, worker=HOSTILE) as broken,
        DecodingProcess(Limits(), limits, worker=HOSTILE) as sound,
    ):
        before = sound.pid
        codes: list[str] = []
        deeds = [b"segfault", b"exit", b"segfault"]
        breaking = threading.Thread(
            target=lambda: codes.extend(code_of(broken, deed) for deed in deeds)
        )
        breaking.start()
        while breaking.is_alive():
            assert_works(sound)
        assert codes == ["audio_undecodable"] * 3
        assert sound.pid == before


def test_it_has_no_core_files_and_little_memory(hostile: DecodingProcess) -> None:
    process = psutil.Process(hostile.pid)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_AS) == (2**30 + 50 * 2**20,) * 2


def test_closing_leaves_nothing() -> None:
    gc.collect()  # what tests before have left open
    files = set(Path("/proc/self/fd").iterdir())
    with DecodingProcess(Limits(), ProcessLimits(), worker=HOSTILE) as process:
        code_of(process, b"exit")
    assert wait_until_gone(process.pid)
    assert set(Path("/proc/self/fd").iterdir()) <= files


@pytest.mark.parametrize("busy", ["GOOD", "b'hang'"])
def test_it_does_not_outlive_its_parent(busy: str) -> None:
    code = f"""
import threading
from tests.ensemble.test_decoding import *
process = DecodingProcess(Limits(), ProcessLimits(timeout_s=600), worker=HOSTILE)
threading.Thread(target=process.decode, args=[{busy}]).start()
print(process.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert wait_until_gone(worker)


def test_one_that_cannot_start_says_so() -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        DecodingProcess(Limits(), ProcessLimits(), worker="tests.ensemble.no_such_worker")


def test_the_limits_of_the_shipped_configuration() -> None:
    parameters = read_config(SOURCE / "audio_decoder" / "config.pbtxt").parameters
    values = {key: value.string_value for key, value in parameters.items()}
    assert Limits.from_strings(values) == Limits()
    assert ProcessLimits.from_strings(values) == ProcessLimits()
