"""Recordings are decoded beside Triton's own processes; killing one of those loses no answer."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil

from tests.conftest import Stack
from tests.recordings import wav
from tests.serving.test_process import wait_until_gone


def decoders(stack: Stack) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(stack.pid).children(recursive=True)
        if "ensemble.decoding_worker" in process.cmdline()
    ]


def test_decoders_that_are_killed_cost_no_answer(stack: Stack) -> None:
    before = decoders(stack)
    assert len(before) == 2  # one for each instance of the step
    files = {"audio": ("clip.wav", wav(2.0), "audio/wav")}
    with httpx.Client(base_url=stack.api_url, timeout=60) as api, ThreadPoolExecutor(4) as senders:
        asked = [senders.submit(api.post, "/analyze/audio", files=files) for _ in range(24)]
        for process in before:
            time.sleep(0.5)
            process.kill()
        statuses = [each.result().status_code for each in asked]
        assert statuses == [200] * 24
    assert all(wait_until_gone(process.pid) for process in before)
    after = decoders(stack)
    assert len(after) == 2
    assert not {process.pid for process in before} & {process.pid for process in after}
