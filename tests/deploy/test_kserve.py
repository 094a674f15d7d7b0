"""The InferenceService: KServe's own fields, and the same pod as the chart's.

KServe's wheel carries no JSON schema, but models that a generator made of one: the names and types
of all fields.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped]

from tests.deploy.charts import DEPLOY, Manifest, container
from tests.docker.files import PROJECT, read_yaml


@pytest.fixture(scope="module")
def kserve() -> Iterator[ModuleType]:
    """KServe's generated models, without all that its package imports first."""
    spec = importlib.util.find_spec("kserve")
    assert spec is not None, "requirements/cluster.txt is not installed: run make test"
    package = ModuleType("kserve")
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules["kserve"] = package
    yield importlib.import_module("kserve.models")
    for name in [name for name in sys.modules if name.partition(".")[0] == "kserve"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    return read_yaml(DEPLOY / "kserve" / "inferenceservice.yaml")


def check(kserve: ModuleType, value: Any, kind: str) -> None:
    """Check that each field is one of KServe's; what is Kubernetes' own is checked elsewhere."""
    if kind.startswith("list["):
        for each in value:
            check(kserve, each, kind[5:-1])
    elif (model := getattr(kserve, kind, None)) is not None:
        fields = {model.attribute_map[name]: type_ for name, type_ in model.openapi_types.items()}
        assert set(value) <= set(fields), f"{kind} has no {set(value) - set(fields)}"
        for name, each in value.items():
            check(kserve, each, fields[name])
    elif kind in ("int", "str", "bool"):
        assert type(value).__name__ == kind


def test_kserve_has_every_field(kserve: ModuleType, service: dict[str, Any]) -> None:
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    check(kserve, service, f"V1beta1{service['kind']}")
    with pytest.raises(AssertionError, match="minReplica"):
        check(kserve, {"minReplica": 1}, "V1beta1PredictorSpec")
    with pytest.raises(AssertionError):
        check(kserve, {"minReplicas": "1"}, "V1beta1PredictorSpec")


def test_kserve_has_the_fields_that_the_readme_adds_for_a_bucket(kserve: ModuleType) -> None:
    [written] = re.findall(r"`(storageUris: .+?)`", (DEPLOY / "README.md").read_text())
    added = yaml.safe_load(written)
    check(kserve, added, "V1beta1PredictorSpec")
    [place] = added["storageUris"]
    image = (PROJECT / "docker" / "triton.Dockerfile").read_text()
    assert f'"--model-repository={place["mountPath"]}"' in image
    with pytest.raises(AssertionError, match="mountpath"):
        check(kserve, {"storageUris": [{"mountpath": "/models"}]}, "V1beta1PredictorSpec")


def test_kubernetes_takes_its_pod(service: dict[str, Any]) -> None:
    kserves_own = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
    spec = {k: v for k, v in service["spec"]["predictor"].items() if k not in kserves_own}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    kubernetes_validate.validate(pod, "1.37", strict=True)


def test_it_is_the_charts_triton(service: dict[str, Any], single: list[Manifest]) -> None:
    [ours] = service["spec"]["predictor"]["containers"]
    chart = container(single, "neurosense-triton")
    assert ours["image"].removeprefix("REGISTRY/") == chart["image"]
    for same in ("resources", "securityContext", "volumeMounts", "livenessProbe"):
        assert ours[same] == chart[same]
    for probe in ("startupProbe", "readinessProbe"):
        assert ours[probe] == {**chart[probe], "httpGet": {**chart[probe]["httpGet"], "port": 8000}}
    # KServe routes to the first port; `h2c` says that it is HTTP/2, which gRPC is.
    [port] = ours["ports"]
    assert (port["name"], port["containerPort"]) == ("h2c", 8001)
