"""Recordings are decoded beside Triton's own processes; killing one of those loses no answer."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from tests.conftest import Stack
from tests.processes import each, family
from tests.recordings import wav
from tests.serving.test_process import wait_until_gone


def decoders(stack: Stack) -> set[int]:
    commands = each(family(stack.pid), psutil.Process.cmdline)
    return {process.pid for process, words in commands if "ensemble.decoding_worker" in words}


def test_decoders_that_are_killed_cost_no_answer(stack: Stack) -> None:
    before = decoders(stack)
    assert len(before) == 2  # one for each instance of the step
    files = {"audio": ("clip.wav", wav(2.0), "audio/wav")}
    with httpx.Client(base_url=stack.api_url, timeout=60) as api, ThreadPoolExecutor(4) as senders:

        def statuses(count: int) -> list[int]:
            sent = [senders.submit(api.post, "/analyze/audio", files=files) for _ in range(count)]
            return [each.result().status_code for each in sent]

        killing = ThreadPoolExecutor(1).submit(kill_slowly, before)
        assert statuses(24) == [200] * 24
        killing.result()
        assert all(wait_until_gone(pid) for pid in before)
        deadline_s = time.monotonic() + 60
        while len(decoders(stack)) < 2 and time.monotonic() < deadline_s:
            assert statuses(4) == [200] * 4  # a decoder comes back when it is needed
    assert len(decoders(stack) - before) == 2


def kill_slowly(pids: set[int]) -> None:
    for pid in pids:
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
