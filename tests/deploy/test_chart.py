"""The Helm chart: rendered by helm, valid for Kubernetes, and true to the code."""

import json

import kubernetes_validate
import pytest

from tests.deploy.charts import CHART, MANY, Helm, Manifest, container, find, pods
from tests.docker.files import PROJECT, instructions, read_yaml, variables


def test_helm_finds_nothing_to_complain_about(helm: Helm) -> None:
    for values in ((), ("--values", MANY)):
        linted = helm.run("lint", "--strict", CHART, *values)
        assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("version", ["1.30", "1.37"])  # the oldest that Chart.yaml takes
def test_kubernetes_own_schemas_take_every_resource(
    single: list[Manifest], many: list[Manifest], version: str
) -> None:
    for manifest in [*single, *many]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_what_is_misspelt(single: list[Manifest]) -> None:
    wrong = json.loads(json.dumps(find(single, "Deployment", "neurosense-triton")))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_one_node_and_many_differ_in_what_scales(
    single: list[Manifest], many: list[Manifest]
) -> None:
    assert {m["kind"] for m in many} - {m["kind"] for m in single} == {"HorizontalPodAutoscaler"}
    assert find(single, "Deployment", "neurosense-triton")["spec"]["replicas"] == 1
    for kind, name in (("Deployment", "neurosense-triton"), ("StatefulSet", "neurosense-api")):
        assert "replicas" not in find(many, kind, name)["spec"]
        scaler = find(many, "HorizontalPodAutoscaler", name)["spec"]
        target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
        assert scaler["scaleTargetRef"] == target
        assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]


def test_a_full_node_can_roll_a_new_version_out(
    single: list[Manifest], many: list[Manifest]
) -> None:
    """With one GPU the old pod has to go first; with more, it stays until the new one is ready."""
    for manifests, surge in ((single, 0), (many, 1)):
        strategy = find(manifests, "Deployment", "neurosense-triton")["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": 1 - surge}


def test_images_ports_and_folders_are_those_of_the_dockerfiles(many: list[Manifest]) -> None:
    files = {"triton": "triton", "api": "api", "page": "ui"}
    for part, file in files.items():
        dockerfile = PROJECT / "docker" / f"{file}.Dockerfile"
        made = container(many, f"neurosense-{part}")
        assert made["image"] == f"registry.example.org/ours/neurosense-{part}:0.1.0"
        [exposed] = [i.words for i in instructions(dockerfile) if i.name == "EXPOSE"]
        assert [str(port["containerPort"]) for port in made["ports"]] == exposed
        users = [i.arguments for i in instructions(dockerfile) if i.name == "USER"]
        rights = pods(many)[f"neurosense-{part}"]["spec"]["securityContext"]
        assert users == [str(rights["runAsUser"])]
        assert "command" not in made
        assert "args" not in made
    environment = {e["name"]: e.get("value") for e in container(many, "neurosense-api")["env"]}
    image = variables(PROJECT / "docker" / "api.Dockerfile")
    assert environment["NEUROSENSE_SPOOL_DIR"] == image["NEUROSENSE_SPOOL_DIR"]


def test_images_have_the_names_and_version_of_the_compose_file() -> None:
    compose = read_yaml(PROJECT / "docker" / "compose.yaml")
    ours = {s["image"] for s in compose["services"].values() if "build" in s}
    version = read_yaml(CHART / "Chart.yaml")["appVersion"]
    assert ours >= {f"neurosense-{part}:{version}" for part in ("triton", "api", "page")}


def test_services_and_addresses_meet(many: list[Manifest]) -> None:
    services = {m["metadata"]["name"]: m["spec"] for m in many if m["kind"] == "Service"}
    environment = {
        e["name"]: e.get("value")
        for part in ("api", "page")
        for e in container(many, f"neurosense-{part}")["env"]
    }
    assert environment["NEUROSENSE_TRITON_GRPC_URL"] == "neurosense-triton:8001"
    assert environment["NEUROSENSE_API_URL"] == "http://neurosense-api:8080"
    assert services["neurosense-triton"]["clusterIP"] == "None"
    for name, spec in services.items():
        pod = pods(many)[name]
        assert spec["selector"].items() <= pod["metadata"]["labels"].items()
        open_ports = {p["name"]: p["containerPort"] for p in pod["spec"]["containers"][0]["ports"]}
        for port in spec["ports"]:
            assert open_ports[port["targetPort"]] == port["port"]


def test_triton_may_be_elsewhere(helm: Helm) -> None:
    refused = helm.template("--set", "triton.enabled=false")
    assert refused.returncode != 0
    assert "api.tritonGrpcUrl" in refused.stderr
    made = helm.manifests(
        "--set", "triton.enabled=false", "--set", "api.tritonGrpcUrl=neurosense-predictor:8001"
    )
    assert set(pods(made)) == {"neurosense-api", "neurosense-page"}
    environment = {e["name"]: e.get("value") for e in container(made, "neurosense-api")["env"]}
    assert environment["NEUROSENSE_TRITON_GRPC_URL"] == "neurosense-predictor:8001"
    egress = find(made, "NetworkPolicy", "neurosense-api")["spec"]["egress"]
    assert {"ports": [{"protocol": "TCP", "port": 8001}]} in egress
