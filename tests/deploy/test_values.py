"""The chart's values: checked, explained, and settings that the API has."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings, env_name
from tests.deploy.charts import CHART, DEPLOY, Helm, Manifest, container
from tests.docker.files import read_yaml
from tests.docker.known import known_variables

_OWN_SETTINGS = {
    "DATABASE_URL",
    "NEUROSENSE_API_HOST",
    "NEUROSENSE_API_KEYS_FILE",
    "NEUROSENSE_API_PORT",
    "NEUROSENSE_PAGE_KEY",
    "NEUROSENSE_SPOOL_DIR",
    "NEUROSENSE_TRITON_GRPC_URL",
    "NEUROSENSE_UI_MONITOR",
}
"""What the chart, or the image, sets itself."""


def test_every_variable_is_a_setting_and_every_value_is_one_that_it_takes(
    many: list[Manifest],
) -> None:
    environment = container(many, "neurosense-api")["env"]
    names = [entry["name"] for entry in environment]
    assert len(set(names)) == len(names)
    settings = {env_name(field) for field in Settings.model_fields}
    assert {name for name in names if name != "HOME"} <= settings
    page = {entry["name"] for entry in container(many, "neurosense-page")["env"]}
    assert page - {"HOME"} <= known_variables()
    given = {
        entry["name"].removeprefix("NEUROSENSE_").lower(): entry["value"]
        for entry in environment
        if "value" in entry
    }
    taken = Settings.model_validate({**given, "DATABASE_URL": "postgresql://example"})
    assert taken.max_concurrent_requests == 128  # as the setting advises for a GPU


def test_other_settings_are_taken_by_name_and_no_others(helm: Helm) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    names = schema["properties"]["api"]["properties"]["env"]["propertyNames"]["enum"]
    expected = sorted({env_name(field) for field in Settings.model_fields} - _OWN_SETTINGS)
    assert names == expected, "values.schema.json: api.env must name the API's settings"
    made = helm.manifests("--set", "api.env.NEUROSENSE_MAX_CONCURRENT_REQUESTS=64")
    entries = [
        entry["value"]
        for entry in container(made, "neurosense-api")["env"]
        if entry["name"] == "NEUROSENSE_MAX_CONCURRENT_REQUESTS"
    ]
    assert entries == ["64"]
    refused = helm.template("--set", "api.env.NEUROSENSE_LOG_LEVL=debug")
    assert refused.returncode != 0
    assert "NEUROSENSE_LOG_LEVEL" in refused.stderr


def test_settings_arrive_as_they_were_written(helm: Helm, tmp_path: Path) -> None:
    written = {
        "NEUROSENSE_SPOOL_MAX_BYTES": 268435456,
        "NEUROSENSE_TEXT_WEIGHT": 0.5,
        "NEUROSENSE_STORE_INPUT_TEXT": True,
        "NEUROSENSE_CORS_ORIGINS": "https://a.example,https://b.example",
    }
    (tmp_path / "values.yaml").write_text(json.dumps({"api": {"env": written}}))
    made = helm.manifests("--values", tmp_path / "values.yaml")
    environment = {e["name"]: e.get("value") for e in container(made, "neurosense-api")["env"]}
    assert {name: environment[name] for name in written} == {
        "NEUROSENSE_SPOOL_MAX_BYTES": "268435456",
        "NEUROSENSE_TEXT_WEIGHT": "0.5",
        "NEUROSENSE_STORE_INPUT_TEXT": "true",
        "NEUROSENSE_CORS_ORIGINS": "https://a.example,https://b.example",
    }


@pytest.mark.parametrize("wrong", ["triton.gpu=1", "triton.gpus=one", "triton.surge=2", "apis=1"])
def test_a_value_that_is_none_is_refused(helm: Helm, wrong: str) -> None:
    refused = helm.template("--set", wrong)
    assert refused.returncode != 0
    assert "values don't meet the specifications of the schema" in refused.stderr


def test_the_readme_says_what_every_value_does() -> None:
    def leaves(values: dict[str, Any], path: str = "") -> list[str]:
        return [
            leaf
            for key, value in values.items()
            for leaf in (
                leaves(value, f"{path}{key}.")
                if isinstance(value, dict) and value and key != "resources"
                else [f"{path}{key}"]
            )
        ]

    readme = (DEPLOY / "README.md").read_text()
    named = leaves(read_yaml(CHART / "values.yaml"))
    assert not [leaf for leaf in named if f"| `{leaf}` |" not in readme]


def test_the_commands_of_the_readme_install_the_chart(helm: Helm, single: list[Manifest]) -> None:
    text = (DEPLOY / "README.md").read_text().replace("\\\n", " ")
    installs = re.findall(r"helm install (neurosense [^`\n]*)", text)
    assert len(installs) == 3  # one node, many, and as a trial
    for install in installs:
        arguments = [a for a in shlex.split(install) if not a.startswith("--dry-run")]
        places = [a.replace("deploy/", f"{DEPLOY}/", 1) for a in arguments]
        rendered = helm.run("template", *places)
        assert rendered.returncode == 0, rendered.stderr
    [secret] = re.findall(r"kubectl create secret generic (\S+) (.*)$", text, re.MULTILINE)[:1]
    assert secret[0] == read_yaml(CHART / "values.yaml")["secret"]
    keys = set(re.findall(r"--from-(?:file|literal)=([a-z_.]+)", secret[1]))
    asked = {
        entry["valueFrom"]["secretKeyRef"]["key"]
        for part in ("api", "page")
        for entry in container(single, f"neurosense-{part}")["env"]
        if "valueFrom" in entry
    }
    assert keys == asked | {"api_keys.json"}
