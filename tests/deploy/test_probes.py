"""Probes ask paths that exist, and wait as long as a real start takes."""

import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from api.health import router
from api.log import _FIRST_MIGRATION_S
from serving.triton import Triton
from tests.conftest import Stack
from tests.deploy.charts import DEPLOY, Manifest, container, pods, window_s
from tests.docker.files import PROJECT

_STUB = "triton_python_backend_stub"


def test_the_api_is_asked_what_it_answers(many: list[Manifest]) -> None:
    api = container(many, "neurosense-api")
    known = {getattr(route, "path", None) for route in router.routes}
    paths = {p: api[f"{p}Probe"]["httpGet"]["path"] for p in ("startup", "readiness", "liveness")}
    assert set(paths.values()) <= known
    # A Triton that is away must not have the API restarted.
    assert paths["startup"] == paths["liveness"] == "/health/live"
    assert paths["readiness"] == "/health/ready"
    assert window_s(api["startupProbe"]) >= 2 * _FIRST_MIGRATION_S


def test_triton_and_the_page_answer_the_paths_that_are_asked(
    many: list[Manifest], stack: Stack
) -> None:
    triton, page = container(many, "neurosense-triton"), container(many, "neurosense-page")
    for base, probe in (
        (f"http://{stack.triton_http}", triton["startupProbe"]),
        (f"http://{stack.triton_http}", triton["readinessProbe"]),
        (stack.ui_url, page["livenessProbe"]),
    ):
        assert httpx.get(base + probe["httpGet"]["path"], timeout=20).status_code == 200
    assert "/v2/health/live" in triton["livenessProbe"]["exec"]["command"][-1]
    assert httpx.get(f"http://{stack.triton_http}/v2/health/live", timeout=20).status_code == 200


def test_triton_has_as_long_to_start_as_serving_gives_it_and_more(many: list[Manifest]) -> None:
    probe = container(many, "neurosense-triton")["startupProbe"]
    assert window_s(probe) >= 2 * Triton.start_timeout_s


def test_every_start_has_several_times_the_time_that_was_measured(many: list[Manifest]) -> None:
    table = (DEPLOY / "README.md").read_text().partition("## Start times")[2]
    rows = re.findall(r"^\| (\S.+) \| ([\d.]+) s \| (\d+) s \|$", table, re.MULTILINE)
    for part, (_, measured_s, budget_s) in zip(("triton", "api", "page"), rows, strict=True):
        window = window_s(container(many, f"neurosense-{part}")["startupProbe"])
        assert window == int(budget_s), part
        assert window >= 5 * float(measured_s), part


def test_requests_end_before_their_pod_does(many: list[Manifest]) -> None:
    """Nobody sends new ones after the pause; then Triton has its own time to finish the others."""
    dockerfile = (PROJECT / "docker" / "triton.Dockerfile").read_text()
    own_s = {"triton": int(dockerfile.partition("--exit-timeout-secs=")[2].split('"')[0]), "api": 3}
    for part, finishing_s in own_s.items():
        spec = pods(many)[f"neurosense-{part}"]["spec"]
        paused_s = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert paused_s + finishing_s < spec["terminationGracePeriodSeconds"]


def _python_steps() -> int:
    """Return how many processes the Python steps of the model repository have."""
    count = 0
    for file in (PROJECT / "model_repository").glob("*/config.pbtxt"):
        config = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
        if config.backend == "python":
            count += sum(group.count for group in config.instance_group) or 1
    return count


def _count(script: str, proc: Path) -> "subprocess.CompletedProcess[str]":
    """Run the counting half of the probe over a folder that stands in for /proc."""
    counting = script.partition("exec python3")[0].replace("/proc/", f"{proc}/")
    return subprocess.run(
        ["sh", "-c", counting], capture_output=True, text=True, check=False, timeout=20
    )


@pytest.fixture
def proc(stack: Stack, tmp_path: Path) -> Path:
    """What /proc says of the real steps: of one Triton's Python models, as in its container."""
    stats = [
        stat
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _is_step_of(stat.parent, str(stack.state_dir))
    ]
    for stat in stats:
        (tmp_path / stat.parent.name).mkdir()
        (tmp_path / stat.parent.name / "stat").write_text(stat.read_text())
    return tmp_path


def _is_step_of(process: Path, state_dir: str) -> bool:
    try:
        command = (process / "cmdline").read_text().split("\0")
        environment = (process / "environ").read_text()
    except OSError:
        return False
    return command[0].endswith(_STUB) and f"NEUROSENSE_STATE_DIR={state_dir}\0" in environment


def test_a_step_that_died_or_is_stopped_makes_triton_start_again(
    many: list[Manifest], proc: Path
) -> None:
    script = container(many, "neurosense-triton")["livenessProbe"]["exec"]["command"][-1]
    assert f'"$steps" -ge {_python_steps()} ' in script
    # Here the classifiers' instances have such a process each as well; NVIDIA's image runs them in
    # C++. On several cores audio has two.
    stats = sorted(proc.glob("*/stat"))
    more = len(stats) - _python_steps()
    assert more in (2, 3)
    for stat in stats[:more]:
        stat.unlink()
    assert _count(script, proc).returncode == 0
    for state in "ZT":
        kept = stats[more].read_text()
        before, _, after = kept.partition(") ")
        stats[more].write_text(f"{before}) {state}{after[1:]}")
        failed = _count(script, proc)
        assert failed.returncode == 1
        assert "only 3 of 4" in failed.stdout
        stats[more].write_text(kept)


def test_the_metric_that_triton_is_scaled_on_is_one_that_it_has(
    many: list[Manifest], stack: Stack
) -> None:
    [rule] = yaml.safe_load((DEPLOY / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    series = rule["seriesQuery"].partition("{")[0]
    lines = [
        line
        for line in httpx.get(stack.triton_metrics, timeout=20).text.splitlines()
        if line.startswith(f"{series}{{")
    ]
    for classifier in ("text_classifier", "audio_classifier"):
        assert any(f'model="{classifier}"' in line for line in lines)
    scaled_on = [
        metric["pods"]["metric"]["name"]
        for manifest in many
        if manifest["kind"] == "HorizontalPodAutoscaler"
        for metric in manifest["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]
    assert scaled_on == [rule["name"]["as"]]


def test_prometheus_is_told_where_the_metrics_are(many: list[Manifest]) -> None:
    for part in ("triton", "api"):
        pod = pods(many)[f"neurosense-{part}"]
        annotations = pod["metadata"]["annotations"]
        assert annotations["prometheus.io/scrape"] == "true"
        ports = {str(port["containerPort"]) for port in pod["spec"]["containers"][0]["ports"]}
        assert annotations["prometheus.io/port"] in ports
