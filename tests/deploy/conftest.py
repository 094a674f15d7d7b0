import pytest

from tests.deploy.charts import MANY, Helm, Manifest, unpack_helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(unpack_helm(tmp_path_factory.mktemp("helm")))


@pytest.fixture(scope="session")
def single(helm: Helm) -> list[Manifest]:
    """One node with one GPU."""
    return helm.manifests()


@pytest.fixture(scope="session")
def many(helm: Helm) -> list[Manifest]:
    """Many nodes."""
    return helm.manifests("--values", MANY, "--set", "images.registry=registry.example.org/ours/")
