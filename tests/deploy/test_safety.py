"""What the chart promises of rights, secrets, disruptions and who reaches whom."""

from typing import Any

import pytest

from tests.deploy.charts import Helm, Manifest, container, find, pods

_PARTS = ("triton", "api", "page")


def _pod_specs(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    specs = {name: pod["spec"] for name, pod in pods(manifests).items()}
    assert set(specs) == {f"neurosense-{part}" for part in _PARTS}
    return specs


def test_every_pod_meets_the_restricted_pod_security_standard(many: list[Manifest]) -> None:
    """Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    for spec in _pod_specs(many).values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        allowed = {"name", "emptyDir", "secret", "persistentVolumeClaim"}
        assert all(set(volume) <= allowed for volume in spec["volumes"])
        for one in spec["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_container_asks_for_memory_and_is_limited(many: list[Manifest]) -> None:
    for spec in _pod_specs(many).values():
        resources = spec["containers"][0]["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]


def test_secrets_are_named_and_in_no_manifest(many: list[Manifest]) -> None:
    assert not [m for m in many if m["kind"] == "Secret"]
    references = {
        entry["name"]: entry["valueFrom"]["secretKeyRef"]
        for part in ("api", "page")
        for entry in container(many, f"neurosense-{part}")["env"]
        if "valueFrom" in entry
    }
    assert references == {
        "DATABASE_URL": {"name": "neurosense", "key": "database_url"},
        "NEUROSENSE_PAGE_KEY": {"name": "neurosense", "key": "page_key"},
        "NEUROSENSE_API_KEY": {"name": "neurosense", "key": "page_key"},
    }
    [keys] = [v for v in pods(many)["neurosense-api"]["spec"]["volumes"] if v["name"] == "keys"]
    mounts = {m["name"]: m for m in container(many, "neurosense-api")["volumeMounts"]}
    # One with a subPath would never see that the Secret has changed.
    assert mounts["keys"] == {"name": "keys", "mountPath": "/etc/neurosense", "readOnly": True}
    environment = {e["name"]: e.get("value") for e in container(many, "neurosense-api")["env"]}
    file = keys["secret"]["items"][0]["path"]
    assert environment["NEUROSENSE_API_KEYS_FILE"] == f"{mounts['keys']['mountPath']}/{file}"


def test_rows_that_wait_outlive_their_pod(many: list[Manifest]) -> None:
    spec = find(many, "StatefulSet", "neurosense-api")["spec"]
    [claim] = spec["volumeClaimTemplates"]
    mounts = {m["name"]: m["mountPath"] for m in container(many, "neurosense-api")["volumeMounts"]}
    environment = {e["name"]: e.get("value") for e in container(many, "neurosense-api")["env"]}
    assert environment["NEUROSENSE_SPOOL_DIR"].startswith(mounts[claim["metadata"]["name"]] + "/")
    policy = spec["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize("part", _PARTS)
def test_a_drained_node_takes_one_pod_at_a_time_and_replicas_are_spread(
    many: list[Manifest], part: str
) -> None:
    labels = pods(many)[f"neurosense-{part}"]["metadata"]["labels"]
    budget = find(many, "PodDisruptionBudget", f"neurosense-{part}")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    spreads = pods(many)[f"neurosense-{part}"]["spec"]["topologySpreadConstraints"]
    for spread in spreads:
        assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    topologies = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert [spread["topologyKey"] for spread in spreads] == topologies


def _ports(rules: list[dict[str, Any]]) -> list[list[Any]]:
    return [[port["port"] for port in rule["ports"]] for rule in rules]


def test_triton_answers_the_api_and_prometheus_and_reaches_nothing(many: list[Manifest]) -> None:
    policy = find(many, "NetworkPolicy", "neurosense-triton")["spec"]
    assert policy["egress"] == []
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    from_api, from_prometheus = policy["ingress"]
    [peer] = from_api["from"]
    api = pods(many)["neurosense-api"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= api.items()
    assert _ports([from_api, from_prometheus]) == [["grpc"], ["metrics"]]


def test_the_api_reaches_names_the_database_and_triton_only(many: list[Manifest]) -> None:
    policy = find(many, "NetworkPolicy", "neurosense-api")["spec"]
    assert _ports(policy["egress"]) == [[53, 53], [5432], ["grpc"]]


def test_the_page_answers_nobody_who_is_not_named(many: list[Manifest], helm: Helm) -> None:
    closed = find(many, "NetworkPolicy", "neurosense-page")["spec"]
    assert "Ingress" in closed["policyTypes"]
    assert "ingress" not in closed
    named = '[{"namespaceSelector": {"matchLabels": {"name": "proxy"}}}]'
    made = helm.manifests(
        "--set-json",
        f"network.pageClients={named}",
        "--set-json",
        f"network.apiClients={named}",
    )
    for part, clients in (("page", 1), ("api", 3)):  # and the page itself, and Prometheus
        [rule] = find(made, "NetworkPolicy", f"neurosense-{part}")["spec"]["ingress"]
        assert len(rule["from"]) == clients


def test_without_network_policies_there_are_none(helm: Helm) -> None:
    made = helm.manifests("--set", "network.policies=false")
    assert not [m for m in made if m["kind"] == "NetworkPolicy"]
