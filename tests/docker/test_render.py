"""The Render blueprint: what it refers to exists, here and within itself."""

from typing import Any

import pytest

from tests.docker.files import BLUEPRINT, PROJECT, instructions, read_yaml
from tests.docker.known import known_variables

# Set by Render itself, or read by its proxy.
_RENDER_VARIABLES = {"PORT", "RENDER_EXTERNAL_URL"}
_SOURCES = {"value", "sync", "generateValue", "fromDatabase", "fromService"}


@pytest.fixture(scope="module")
def blueprint() -> dict[str, Any]:
    return read_yaml(BLUEPRINT)


def variables(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["key"]: entry for entry in service["envVars"]}


def test_it_has_the_api_the_page_and_a_database(blueprint: dict[str, Any]) -> None:
    assert set(blueprint) == {"services", "databases"}
    assert [s["name"] for s in blueprint["services"]] == ["neurosense-api", "neurosense-page"]
    assert [d["name"] for d in blueprint["databases"]] == ["neurosense-db"]


def test_every_image_and_context_exists(blueprint: dict[str, Any]) -> None:
    for service in blueprint["services"]:
        assert service["type"] == "web"
        assert service["runtime"] == "docker"
        assert (PROJECT / service["dockerfilePath"]).is_file()
        assert (PROJECT / service["dockerContext"]).resolve() == PROJECT


def test_every_variable_is_known_and_has_one_source(blueprint: dict[str, Any]) -> None:
    known = known_variables() | _RENDER_VARIABLES
    for service in blueprint["services"]:
        for key, entry in variables(service).items():
            assert key in known
            assert len(set(entry) & _SOURCES) == 1, key
            assert set(entry) <= _SOURCES | {"key"}, key


def test_references_name_what_the_blueprint_has(blueprint: dict[str, Any]) -> None:
    databases = {d["name"] for d in blueprint["databases"]}
    services = {(s["type"], s["name"]) for s in blueprint["services"]}
    entries = [e for s in blueprint["services"] for e in s["envVars"]]
    for entry in entries:
        if "fromDatabase" in entry:
            assert entry["fromDatabase"]["name"] in databases
        if "fromService" in entry:
            source = entry["fromService"]
            assert (source["type"], source["name"]) in services
            if (variable := source["envVarKey"]) not in _RENDER_VARIABLES:
                [service] = [s for s in blueprint["services"] if s["name"] == source["name"]]
                assert variable in variables(service)


def test_the_page_has_the_key_that_render_makes_for_the_api(blueprint: dict[str, Any]) -> None:
    api, page = blueprint["services"]
    assert variables(api)["NEUROSENSE_PAGE_KEY"]["generateValue"] is True
    assert (
        variables(page)["NEUROSENSE_API_KEY"]["fromService"]["envVarKey"] == "NEUROSENSE_PAGE_KEY"
    )


def test_the_port_that_render_asks_is_the_one_that_the_image_opens(
    blueprint: dict[str, Any],
) -> None:
    for service in blueprint["services"]:
        port = variables(service)["PORT"]["value"]
        opened = [
            i.arguments
            for i in instructions(PROJECT / service["dockerfilePath"])
            if i.name == "EXPOSE"
        ]
        assert opened == [port]


def test_the_api_is_checked_by_a_path_that_it_has(blueprint: dict[str, Any]) -> None:
    from api.health import router

    api = blueprint["services"][0]
    assert api["healthCheckPath"] in {getattr(route, "path", None) for route in router.routes}
