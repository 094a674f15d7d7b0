"""The stages' pieces against the running system with its small starter weights."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from benchmarks.analyzer import Load
from benchmarks.bare import BareSessions
from benchmarks.finished import Finished
from benchmarks.grpc_load import audio_seconds, clips_only, mixed, per_second
from benchmarks.inputs import cut_clips, equal_clips, read_sentences
from benchmarks.instances import Division, divided_triton, divisions
from benchmarks.measurements import analysis
from benchmarks.peers.processes import family
from benchmarks.plan import QUICK
from benchmarks.report import table
from benchmarks.results import Whole
from benchmarks.server import running_triton
from benchmarks.service_loads import ServiceLoads
from benchmarks.service_ratios import ServiceRatios
from benchmarks.stack import Stack, running_stack
from benchmarks.stage_growth import clients, lengths
from tests.conftest import Stack as Running
from tests.waiting import wait_for

PLAN = replace(QUICK, requests=4, api_s=2.0, lengths_s=(1, 2), clients=(2,))


@pytest.fixture
def measured_stack(stack: Running) -> Stack:
    return Stack(stack.api_url, stack.triton_http, stack.triton_grpc, partial(family, stack.pid))


def test_every_request_of_a_fixed_set_is_answered(measured_stack: Stack) -> None:
    for requests in (mixed(6), clips_only(cut_clips()[:2], 3)):
        before = answered(measured_stack)
        assert per_second(measured_stack.triton_grpc, requests, 2) > 0
        # The first two go twice: once before the time is taken.
        wait_until_answered(measured_stack, before + len(requests) + 2)
    assert audio_seconds(clips_only(equal_clips(2.0, 2), 3)) == 6.0


def wait_until_answered(stack: Stack, rows: int) -> None:
    """Triton counts a request a moment after it has answered it."""
    wait_for(lambda: answered(stack) >= rows)
    assert answered(stack) == rows


def answered(stack: Stack) -> int:
    with running_triton(stack.triton_grpc, "grpc") as server:
        return server.counts()["audio_classifier"].rows


def test_equal_clips_are_as_long_as_said_also_beyond_the_reading() -> None:
    clips = equal_clips(30.0, 2)
    assert len({clip.encoded for clip in clips}) == 2
    assert all(len(clip.encoded) == pytest.approx(30 * 32000, abs=100) for clip in clips)


def test_a_load_may_be_a_rate(measured_stack: Stack) -> None:
    with (
        running_triton(measured_stack.triton_grpc, "grpc") as server,
        analysis(server, read_sentences(), cut_clips()) as one,
    ):
        found = one.measure(Load("emotion_text", 0, 0.5, rate_per_s=20.0))
    # Unlimited it would be several times as many; a busy machine may get fewer of the 20 done.
    assert 0 < found.latency.per_second < 30
    assert "20.00 per second" in table([found])


def test_the_api_and_ratios_are_measured_and_kept(
    measured_stack: Stack, stack: Running, tmp_path: Path
) -> None:
    finished, said = Finished(tmp_path, "here"), list[str]()
    loads = ServiceLoads(measured_stack, PLAN, finished, said.append)
    (found,) = loads.api(["text"])
    assert (found.modality, found.result.errors) == ("text", 0)
    assert found.result.per_second > 0
    requests = mixed(PLAN.requests)
    bare = BareSessions(stack.state_dir / "model_repository", requests, threads=1)
    ratios = ServiceRatios(measured_stack, PLAN, finished, said.append)
    over_sessions = ratios.over_sessions(bare, requests)
    assert over_sessions.median() > 0
    assert ratios.over_sessions(bare, requests) == over_sessions
    assert ratios.mixed_over_equal().median() > 0
    assert sum("round 1 of 1" in line for line in said) == 2


@pytest.mark.slow  # of the same kind as the stage before
def test_growth_has_memory_of_every_process(measured_stack: Stack, tmp_path: Path) -> None:
    finished = Finished(tmp_path, "here")
    found = [
        *lengths(measured_stack, PLAN, finished, lambda _: None),
        *clients(measured_stack, PLAN, finished, lambda _: None),
    ]
    assert [one.value for one in found] == [1, 2, 2]
    steps = {"audio_classifier", "audio_decoder", "fusion", "text_classifier", "text_tokenizer"}
    known = steps | {"api", "database", "page", "supervisor", "triton"}
    for one in found:
        assert set(one.memory_mb) >= known
        assert all(one.memory_mb[name] > 1 for name in known)
        assert one.audio_seconds_per_second


@pytest.mark.slow
def test_cores_are_divided_among_instances(stack: Running, tmp_path: Path) -> None:
    assert divisions(2) == [Division(1, 2), Division(2, 1)]
    assert divisions(1) == [Division(1, 1)]
    repository = stack.state_dir / "model_repository"
    with divided_triton(repository, tmp_path, Division(2, 1)) as (url, pids):
        assert per_second(url, clips_only(cut_clips()[:1], 2), 2) > 0
        with InferenceServerClient(url) as client:
            config = client.get_model_config("audio_classifier").config
        assert [group.count for group in config.instance_group] == [2]
        assert config.parameters["intra_op_thread_count"].string_value == "1"
        assert len(pids()) > 5


@pytest.mark.slow
def test_the_whole_service_is_started_and_stopped(tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", {"NEUROSENSE_WEIGHTS": "starter"}) as stack:
        assert per_second(stack.triton_grpc, mixed(2), 2) > 0
        memory = stack.memory_mb()
        assert Whole(memory_gb=sum(memory.values()) / 1e3).memory_gb
    assert stack.pids() == set()
