"""The Render blueprints: what they refer to exists, here and within themselves."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from tests.docker.files import BLUEPRINTS, PROJECT, instructions, read_yaml
from tests.docker.known import known_variables

# Set by Render itself, or read by its proxy.
_RENDER_VARIABLES = {"PORT", "RENDER_EXTERNAL_URL"}
_SOURCES = {"value", "sync", "generateValue", "fromDatabase", "fromService"}


# What Render's schema (https://render.com/schema/render.yaml.json) allows of what is used here.
_SCHEMA_URL = "https://render.com/schema/render.yaml.json"
_SERVICE_FIELDS = {
    "type", "name", "runtime", "dockerfilePath", "dockerContext", "plan", "healthCheckPath",
    "envVars", "disk", "region", "numInstances",
}  # fmt: skip
_DATABASE_FIELDS = {"name", "databaseName", "user", "plan", "ipAllowList", "region"}
_SERVICE_PLANS = {"free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"}
_DATABASE_PLANS = {"free", "basic-256mb", "basic-1gb", "basic-4gb", "pro-4gb", "pro-8gb"}


@pytest.fixture(params=BLUEPRINTS, ids=lambda path: path.name)
def blueprint(request: pytest.FixtureRequest) -> dict[str, Any]:
    return read_yaml(request.param)


def test_fields_and_plans_are_renders(blueprint: dict[str, Any]) -> None:
    for service in blueprint["services"]:
        assert set(service) <= _SERVICE_FIELDS
        assert service["plan"] in _SERVICE_PLANS
    for database in blueprint["databases"]:
        assert set(database) <= _DATABASE_FIELDS
        assert database["plan"] in _DATABASE_PLANS


def follows(schema: Path, file: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema), str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_renders_own_schema_takes_them(tmp_path: Path) -> None:
    """It has no licence that would let it lie here."""
    try:
        published = httpx.get(_SCHEMA_URL, timeout=5, follow_redirects=True).raise_for_status()
    except httpx.HTTPError as error:
        pytest.skip(
            f"RENDER'S OWN SCHEMA WAS NOT ASKED: {_SCHEMA_URL} cannot be reached ({error}). "
            "Checked instead: fields and plans, by lists in the test, and what the files refer to"
        )
    schema, wrong = tmp_path / "schema.json", tmp_path / "wrong.yaml"
    schema.write_text(published.text)
    for file in BLUEPRINTS:
        assert follows(schema, file), file
        content = read_yaml(file)
        content["services"][0]["healthcheck"] = content["services"][0].pop("healthCheckPath")
        wrong.write_text(yaml.safe_dump(content))
        assert not follows(schema, wrong)


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


def test_the_page_has_the_key_that_render_makes_for_the_api() -> None:
    api, page = read_yaml(BLUEPRINTS[0])["services"]
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
