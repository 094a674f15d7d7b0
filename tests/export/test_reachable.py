"""Whether the hub answers is known within a given time, whatever is in the way."""

import socket
from pathlib import Path

from serving.ports import free_ports
from tests.export.hub_client import run
from tests.export.hub_server import Hub

REACHABLE = "import sys; from export.hub import reachable; print(reachable(float(sys.argv[1])))"


def test_reachable(hub: Hub, tmp_path: Path) -> None:
    assert run(REACHABLE, "10", home=tmp_path, endpoint=hub.url) == "None\n"
    offline = run(REACHABLE, "10", home=tmp_path, endpoint=hub.url, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in offline
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert gone in run(REACHABLE, "10", home=tmp_path, endpoint=gone)
    proxied = run(REACHABLE, "10", home=tmp_path, endpoint="https://hub.invalid", HTTPS_PROXY=gone)
    assert "ProxyError" in proxied


def test_silent_hub_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and says nothing
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert endpoint in run(REACHABLE, "0.5", home=tmp_path, endpoint=endpoint)
