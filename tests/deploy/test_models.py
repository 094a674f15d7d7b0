"""The pod that swaps versions in a cluster: what it writes, whom it reaches, which key it has."""

import itertools
import re
import shlex

import kubernetes_validate
import pytest
from typer.testing import CliRunner

from serving import cli
from tests.deploy.charts import DEPLOY, Helm, Manifest, container, find, pods
from tests.docker.files import COMPOSE, PROJECT, instructions, read_yaml

NAME = "neurosense-models"


@pytest.fixture(scope="module")
def swapping(helm: Helm) -> list[Manifest]:
    return helm.manifests("--set", "models.enabled=true", "--set", "triton.modelsClaim=ours")


def test_without_it_nothing_of_it_is_there(single: list[Manifest]) -> None:
    assert NAME not in pods(single)
    assert "env" not in container(single, "neurosense-triton")
    [from_api, _] = find(single, "NetworkPolicy", "neurosense-triton")["spec"]["ingress"]
    assert len(from_api["from"]) == 1


def test_it_needs_a_claim(helm: Helm) -> None:
    refused = helm.template("--set", "models.enabled=true")
    assert refused.returncode != 0
    assert "triton.modelsClaim" in refused.stderr


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_own_schemas_take_it(swapping: list[Manifest], version: str) -> None:
    for manifest in swapping:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_it_writes_the_claim_that_triton_only_reads(swapping: list[Manifest]) -> None:
    mounts, claims = {}, {}
    for part in ("triton", "models"):
        spec = pods(swapping)[f"neurosense-{part}"]["spec"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounted = {m["name"]: m for m in spec["containers"][0]["volumeMounts"]}
        mounts[part], claims[part] = mounted["models"], volumes["models"]["persistentVolumeClaim"]
        # The same user, whose files they are.
        assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsUser"] == 1000
    assert claims["models"] == {"claimName": "ours"}
    assert claims["triton"] == {"claimName": "ours", "readOnly": True}
    assert mounts["models"] == {"name": "models", "mountPath": "/models"}
    assert mounts["triton"] == {"name": "models", "mountPath": "/models", "readOnly": True}


def test_both_have_the_key_from_the_secret(swapping: list[Manifest]) -> None:
    for part in ("triton", "models"):
        spec = pods(swapping)[f"neurosense-{part}"]["spec"]
        [key] = [volume for volume in spec["volumes"] if volume["name"] == "control-key"]
        assert key["secret"]["secretName"] == "neurosense"
        assert [item["key"] for item in key["secret"]["items"]] == ["triton_control_key"]
        mounts = {m["name"]: m for m in spec["containers"][0]["volumeMounts"]}
        assert mounts["control-key"]["mountPath"] == "/etc/neurosense"
    [variable] = container(swapping, "neurosense-triton")["env"]
    path = "/etc/neurosense/triton_control_key"
    assert variable == {"name": "TRITON_CONTROL_KEY_FILE", "value": path}
    assert variable["name"] in (PROJECT / "docker" / "triton.sh").read_text()


def test_it_reaches_triton_and_nobody_reaches_it(swapping: list[Manifest]) -> None:
    labels = pods(swapping)[NAME]["metadata"]["labels"]
    policy = find(swapping, "NetworkPolicy", NAME)["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    names, triton = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert triton["ports"] == [{"protocol": "TCP", "port": "grpc"}]
    found = find(swapping, "NetworkPolicy", "neurosense-triton")["spec"]["ingress"][0]["from"]
    selected = [peer["podSelector"]["matchLabels"] for peer in found]
    assert [one.items() <= labels.items() for one in selected] == [False, True]


def test_it_meets_the_restricted_pod_security_standard(swapping: list[Manifest]) -> None:
    spec = pods(swapping)[NAME]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in spec["containers"][0]["resources"]["limits"]


def test_its_image_is_composes_and_the_commands_of_the_readme_are_its(
    swapping: list[Manifest],
) -> None:
    image = container(swapping, NAME)["image"]
    assert image == read_yaml(COMPOSE)["services"]["models"]["image"]
    dockerfile = instructions(PROJECT / "docker" / "cpu.Dockerfile")
    copied = dict(i.words for i in dockerfile if i.name == "COPY" and len(i.words) == 2)
    assert copied["docker/neurosense.sh"] == "/usr/local/bin/neurosense"
    text = (DEPLOY / "README.md").read_text().replace("\\\n", " ")
    commands = re.findall(rf"kubectl exec deploy/{NAME} -- neurosense (.+)", text)
    assert len(commands) >= 2
    mounts = {m["mountPath"] for m in container(swapping, NAME)["volumeMounts"]}
    for command in map(shlex.split, commands):
        asked = command[: 2 if command[0] == "models" else 1]
        said = CliRunner().invoke(cli.app, [*asked, "--help"], env={"COLUMNS": "200"}).output
        options = [word for word in command if word.startswith("--")]
        assert options
        assert all(option in said for option in options), command
        given = dict(itertools.pairwise(command))
        assert given["--repository"] in mounts
        if "--triton" in given:
            services = {m["metadata"]["name"] for m in swapping if m["kind"] == "Service"}
            assert given["--triton"].removesuffix(":8001") in services
            assert given["--control-key-file"] == "/etc/neurosense/triton_control_key"
