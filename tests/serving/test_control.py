"""The real Triton: its administration asks for the key of this start, all else does not."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from serving import control
from tests.conftest import Stack

Call = Callable[[Any, dict[str, str]], Any]
CLOSED: dict[str, Call] = {
    "load": lambda client, headers: client.load_model("fusion", headers=headers),
    "unload": lambda client, headers: client.unload_model("none", headers=headers),
    "index": lambda client, headers: client.get_model_repository_index(headers=headers),
    "shared memory": lambda client, headers: client.register_system_shared_memory(
        "region", "/psm_x", 8, headers=headers
    ),
    "its status": lambda client, headers: client.get_system_shared_memory_status(headers=headers),
    "its end": lambda client, headers: client.unregister_system_shared_memory(headers=headers),
    "CUDA's": lambda client, headers: client.get_cuda_shared_memory_status(headers=headers),
    "trace": lambda client, headers: client.update_trace_settings(
        settings={"trace_level": ["OFF"]}, headers=headers
    ),
    "trace of a model": lambda client, headers: client.get_trace_settings(
        "fusion", headers=headers
    ),
    "log": lambda client, headers: client.update_log_settings(
        {"log_verbose_level": 0}, headers=headers
    ),
    "log's status": lambda client, headers: client.get_log_settings(headers=headers),
}
OPEN: dict[str, Call] = {
    "live": lambda client, headers: client.is_server_live(headers=headers),
    "ready": lambda client, headers: client.is_model_ready("fusion", headers=headers),
    "metadata": lambda client, headers: client.get_server_metadata(headers=headers),
    "config": lambda client, headers: client.get_model_config("fusion", headers=headers),
    "statistics": lambda client, headers: client.get_inference_statistics(headers=headers),
}


@pytest.fixture(params=[tritonclient.grpc, tritonclient.http], ids=["grpc", "http"])
def client(request: pytest.FixtureRequest, stack: Stack) -> Any:
    url = stack.triton_grpc if request.param is tritonclient.grpc else stack.triton_http
    with request.param.InferenceServerClient(url) as client:
        yield client


@pytest.mark.parametrize("call", CLOSED.values(), ids=CLOSED)
@pytest.mark.parametrize("key", [None, "", "0" * 64])
def test_administration_without_the_key_is_refused(
    client: Any, call: Call, key: str | None
) -> None:
    headers = {} if key is None else control.headers(key)
    with pytest.raises(InferenceServerException, match="is restricted, expecting header"):
        call(client, headers)


@pytest.mark.parametrize("call", CLOSED.values(), ids=CLOSED)
def test_administration_with_the_key_is_heard(client: Any, call: Call, stack: Stack) -> None:
    said = ""
    try:
        call(client, control.headers(stack.triton_control_key))
    except InferenceServerException as error:  # no such region, say: Triton looked
        said = str(error)
    assert "restricted" not in said


@pytest.mark.parametrize("call", OPEN.values(), ids=OPEN)
def test_the_rest_needs_no_key(client: Any, call: Call) -> None:
    assert call(client, {})


def test_http_paths_of_administration_answer_403(stack: Stack) -> None:
    for path in (
        "repository/models/fusion/unload",
        "repository/models/fusion/load",
        "repository/index",
        "systemsharedmemory/region/x/register",
        "cudasharedmemory/region/x/register",
        "systemsharedmemory/unregister",
        "trace/setting",
        "models/fusion/trace/setting",
        "logging",
    ):
        answer = httpx.post(f"http://{stack.triton_http}/v2/{path}", content=b"{}", timeout=60)
        assert answer.status_code == 403, path
    ready = httpx.get(f"http://{stack.triton_http}/v2/models/fusion/ready", timeout=60)
    assert ready.status_code == 200


def test_the_key_is_in_a_file_for_its_owner_and_in_no_log(stack: Stack) -> None:
    file = stack.state_dir / "triton_control_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(stack.triton_control_key) == 64
    for log in (stack.state_dir / "serve.log", *(stack.state_dir / "logs").iterdir()):
        assert stack.triton_control_key not in log.read_text(errors="replace"), log


def test_every_start_has_a_key_of_its_own_and_replaces_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("of a start that was killed")
    file.chmod(0o644)
    first, second = control.new_key(), control.new_key()
    assert first != second
    control.write_key(file, first)
    assert file.read_text() == f"{first}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_both_protocols_close_the_same() -> None:
    closed = {option.partition("=")[2] for option in control.options("k")}
    assert closed == {
        "model-repository,shared-memory,trace,logging:neurosense-control=k",
    }
    assert json.dumps(control.headers("k")).count('"k"') == 2
