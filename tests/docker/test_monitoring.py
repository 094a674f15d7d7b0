"""Dashboard and alerts: they ask for metrics that exist, by labels that these have."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Stack
from tests.docker.files import COMPOSE, PROJECT, read_yaml

DOCKER = PROJECT / "docker"
PROMETHEUS = DOCKER / "prometheus.yml"
ALERTS = DOCKER / "alerts.yml"
ALERTS_TEST = PROJECT / "tests" / "docker" / "alerts.test.yml"
GRAFANA = DOCKER / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "neurosense.json"
# Only a Triton that sees a GPU has them: docs/user_guide/metrics.md of triton-inference-server.
OF_A_GPU = {"nv_gpu_utilization": {"gpu_uuid"}, "nv_gpu_memory_used_bytes": {"gpu_uuid"}}
# Prometheus makes them itself.
OF_PROMETHEUS = {"up": {"job"}, "ALERTS": {"alertstate"}}
QUESTIONS = ("Is it healthy?", "Is it fast?", "Is it right?", "What does it cost?")


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Return every PromQL expression, by where it stands."""
    asked = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in panels():
        for target in panel.get("targets", []):
            asked[f"{panel['title']} {target['refId']}"] = target["expr"]
    return asked


def named(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    return set(re.findall(r"\b(?:neurosense|nv|process)_\w+|\bup\b|\bALERTS\b", expression))


def labels_asked(expression: str) -> Iterator[tuple[str, str]]:
    """Yield every metric with a label that it is selected by."""
    for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            yield metric, label


@pytest.fixture(scope="module")
def scraped(stack: Stack) -> dict[str, set[str]]:
    """The labels of every metric of a system that has answered."""
    text = stack.scraped()
    known = {name: {"job"} for name in re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)}
    for name, labels in re.findall(r"^(\w+)\{(.*?)\} ", text, re.MULTILINE):
        known.setdefault(name, {"job"}).update(re.findall(r"(\w+)=\"", labels))
    for name in re.findall(r"^(\w+) ", text, re.MULTILINE):
        known.setdefault(name, {"job"})
    # A counter without a sample shows no labels: perhaps nothing was refused yet.
    known["neurosense_refused_total"] |= {"reason"}
    return {**known, **OF_A_GPU, **OF_PROMETHEUS}


def test_every_metric_and_label_exists(scraped: dict[str, set[str]]) -> None:
    for place, expression in expressions().items():
        metrics = named(expression)
        assert metrics, place
        assert metrics <= set(scraped), place
        for metric, label in labels_asked(expression):
            assert label in scraped[metric], (place, metric, label)
        for grouped in re.findall(r"\bby \(([\w, ]+)\)", expression):
            available = set().union(*(scraped[metric] for metric in metrics))
            assert set(grouped.split(", ")) <= available, place


def test_the_dashboard_answers_its_four_questions() -> None:
    titles = [panel["title"] for panel in panels() if panel["type"] == "row"]
    assert tuple(titles) == QUESTIONS
    shown = [panel for panel in panels() if panel["type"] != "row"]
    assert all(panel["description"] and panel["targets"] for panel in shown)
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    [source] = read_yaml(GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    used = {panel["datasource"]["uid"] for panel in panels() if panel["type"] != "row"}
    assert used == {source["uid"]}
    [provider] = read_yaml(GRAFANA / "provisioning/dashboards/neurosense.yml")["providers"]
    grafana = read_yaml(COMPOSE)["services"]["grafana"]
    mounted = {v.split(":")[1]: v.split(":")[0] for v in grafana["volumes"]}
    assert (DOCKER / mounted[provider["options"]["path"]]) == DOCKER / "./grafana/dashboards"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/{DASHBOARD.name}"


def test_prometheus_scrapes_services_that_exist_by_the_jobs_that_are_asked_for() -> None:
    config = read_yaml(PROMETHEUS)
    assert config["rule_files"] == [ALERTS.name]
    services = read_yaml(COMPOSE)["services"]
    jobs = {}
    for job in config["scrape_configs"]:
        [static] = job["static_configs"]
        [target] = static["targets"]
        jobs[job["job_name"]] = target
        assert target.partition(":")[0] in services
    assert jobs == {"neurosense-api": "api:8080", "neurosense-triton": "triton:8002"}
    asked = set(re.findall(r'job="([^"]+)"', " ".join(expressions().values())))
    assert asked == set(jobs)


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
    cases = read_yaml(ALERTS_TEST)["tests"]
    raised = {
        test["alertname"]
        for case in cases
        for test in case["alert_rule_test"]
        if test.get("exp_alerts")
    }
    assert raised == {rule["alert"] for rule in rules()}, "each is tested by promtool"


@pytest.mark.parametrize(
    "command", [("check", "config", PROMETHEUS), ("test", "rules", ALERTS_TEST)]
)
def test_prometheus_itself_takes_it(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine (apt install prometheus)")
    subprocess.run([promtool, *command], check=True)


def test_prometheus_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine (apt install prometheus)")
    records = [
        {"record": f"panel:{n}", "expr": expression.replace("$__rate_interval", "1m")}
        for n, expression in enumerate(expressions().values())
    ]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "a", "rules": records}]}))
    subprocess.run([promtool, "check", "rules", tmp_path / "rules.json"], check=True)
