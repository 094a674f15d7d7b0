"""The compose file: valid, and it publishes and starts what it should."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serving import cli
from tests.docker.files import COMPOSE, PROJECT, instructions, read_yaml, variables
from tests.docker.known import known_variables


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_yaml(COMPOSE)


PROFILES = ("cpu", "gpu")
ONE_SHOT = ("models", "models-gpu")
"""What `docker compose run` starts, for one command."""


def docker_compose() -> list[str] | None:
    """Return the command of Compose, where this machine has it (no engine is needed)."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    tried = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return [docker, "compose"] if tried.returncode == 0 else None


def check_against_schema(path: Path) -> "subprocess.CompletedProcess[str]":
    """Check a file against the Compose specification's own schema, which the tool carries."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, path], capture_output=True, text=True, check=False)


def test_it_follows_the_compose_specification(tmp_path: Path) -> None:
    checked = check_against_schema(COMPOSE)
    assert checked.returncode == 0, checked.stdout
    (tmp_path / "wrong.yaml").write_text(COMPOSE.read_text().replace("restart:", "restrat:"))
    assert check_against_schema(tmp_path / "wrong.yaml").returncode != 0


def test_compose_itself_takes_it() -> None:
    command = docker_compose()
    if command is None:
        pytest.skip("no `docker compose` on this machine; the schema was checked instead")
    for profile in PROFILES:
        subprocess.run(
            [*command, "--file", str(COMPOSE), "--profile", profile, "config", "--quiet"],
            check=True,
            env={"PATH": os.environ["PATH"], "HOME": "/tmp"},  # noqa: S108
        )


def test_only_the_api_and_the_page_are_published_and_only_on_this_machine(
    compose: dict[str, Any],
) -> None:
    published = {
        name: service["ports"]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert set(published) == {"api", "page", "grafana"}
    [for_this_machine] = published.pop("grafana")
    assert for_this_machine.startswith("127.0.0.1:")
    for (port,) in published.values():
        assert port.startswith("${NEUROSENSE_PUBLISH_HOST:-127.0.0.1}:")
    assert compose["networks"]["inside"] == {"internal": True}
    assert {
        name for name, service in compose["services"].items() if "outside" in service["networks"]
    } == {"api", "page", "grafana"}  # a container on internal networks alone publishes nothing


def test_every_service_is_waited_for_until_it_is_healthy(compose: dict[str, Any]) -> None:
    waited_for = {
        needed: how["condition"]
        for service in compose["services"].values()
        for needed, how in service.get("depends_on", {}).items()
    }
    assert waited_for == dict.fromkeys(
        ("triton", "triton-gpu", "postgres", "api"), "service_healthy"
    )
    for name, service in compose["services"].items():
        if name not in ONE_SHOT:
            assert "healthcheck" in service or _image_has_health_check(service), name


def test_a_profile_chooses_who_is_triton(compose: dict[str, Any]) -> None:
    services = compose["services"]
    profiles = {name: s["profiles"] for name, s in services.items() if "profiles" in s}
    one_shot = {name: profiles.pop(name) for name in ONE_SHOT}
    assert set(map(tuple, one_shot.values())) == {("models",)}, "`up` starts none"
    assert profiles == {"triton": ["cpu"], "triton-gpu": ["gpu"]}
    cpu, gpu = services["triton"], services["triton-gpu"]
    assert gpu["gpus"] == "all"
    assert gpu["networks"] == {"inside": {"aliases": ["triton"]}}
    assert "gpus" not in cpu
    # Graphs for a GPU, in an image that the other profile does not take for its own.
    assert gpu["build"] == cpu["build"] | {"args": {"PRECISION": "fp16"}}
    # `models` writes the configurations anew, for the same cores.
    cores = "${NEUROSENSE_CPU_CORES:-all}"
    assert cpu["build"]["args"] == {"CPU_CORES": cores}
    assert services["models"]["environment"] == {"NEUROSENSE_CPU_CORES": cores}
    assert gpu["image"] == f"{cpu['image']}-gpu"
    apart = {"profiles", "networks", "gpus", "build", "image", "volumes"}
    assert {k: v for k, v in cpu.items() if k not in apart} == {
        k: v for k, v in gpu.items() if k not in apart
    }
    # Compose refuses to wait for a service whose profile is off, unless it is not required.
    needed = services["api"]["depends_on"]
    assert {name for name in needed if needed[name].get("required", True)} == {"postgres"}


def test_every_container_is_closed_and_comes_back(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged")
    root = {name for name, s in compose["services"].items() if "cap_add" in s}
    assert root == {"postgres"}, "its entrypoint begins as root"


def _image_has_health_check(service: dict[str, Any]) -> bool:
    dockerfile = PROJECT / service["build"]["dockerfile"]
    return any(i.name == "HEALTHCHECK" for i in instructions(dockerfile))


def test_every_path_that_it_names_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        if "build" in service:
            context = (COMPOSE.parent / service["build"]["context"]).resolve()
            assert context == PROJECT
            assert (context / service["build"]["dockerfile"]).is_file()
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            named = source in compose["volumes"]
            assert named or (source.startswith("./") and (COMPOSE.parent / source).exists())
            assert named or volume.endswith(":ro")


def test_versions_are_swapped_in_a_volume_that_triton_only_reads(compose: dict[str, Any]) -> None:
    for suffix in ("", "-gpu"):
        swaps, serves = (compose["services"][f"{part}{suffix}"] for part in ("models", "triton"))
        # Graphs for CPUs and for GPUs do not mix.
        assert serves["volumes"] == [f"models{suffix}:/models:ro"]
        assert swaps["volumes"] == [f"models{suffix}:/models"]
        dockerfile = instructions(PROJECT / serves["build"]["dockerfile"])
        [user] = [i.arguments for i in dockerfile if i.name == "USER"]
        assert swaps["user"] == f"{user}:{user}"
        [copied] = [i.words for i in dockerfile if i.name == "COPY" and i.words[-1] == "/models"]
        assert f"--chown={user}:{user}" in copied
        assert swaps["healthcheck"] == {"disable": True}
        secrets = (swaps["secrets"], serves["secrets"])
        assert secrets == (["triton_control_key"], ["triton_control_key"])
        assert serves["environment"] == {
            "TRITON_CONTROL_KEY_FILE": "/run/secrets/triton_control_key"
        }
        assert set(swaps["networks"]) == set(serves["networks"]) == {"inside"}


@pytest.mark.parametrize("file", ["docker/compose.yaml", "README.md"])
def test_the_commands_that_swap_versions_are_ones_that_the_image_has(file: str) -> None:
    text = re.sub(r"\\\n(?:#)?\s*", "", (PROJECT / file).read_text())
    commands = re.findall(r"run --rm (?:-v \S+ )?(models\S*) (neurosense .+)", text)
    assert commands
    for service, command in commands:
        assert service in ONE_SHOT
        program, *arguments = shlex.split(command)
        image = instructions(PROJECT / "docker/cpu.Dockerfile")
        copied = dict(i.words for i in image if i.name == "COPY" and len(i.words) == 2)
        assert copied["docker/neurosense.sh"] == f"/usr/local/bin/{program}"
        given = [word for word in arguments if word.startswith("--")]
        asked = [word for word in arguments[:2] if not word.startswith("--")]
        said = CliRunner().invoke(cli.app, [*asked, "--help"], env={"COLUMNS": "200"}).output
        assert given
        assert all(option in said for option in given), command


def test_the_command_of_the_image_is_the_projects(tmp_path: Path) -> None:
    program = PROJECT / "docker" / "neurosense.sh"
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    python.chmod(0o755)
    said = subprocess.run(
        [program, "models", "a b"],
        env={"PATH": f"{tmp_path}:/bin"},
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode().splitlines() == ["/app", "-m", "serving.cli", "models", "a b"]
    image = instructions(PROJECT / "docker/cpu.Dockerfile")
    assert [i.arguments for i in image if i.name == "WORKDIR"] == ["/app"]


def test_every_variable_that_it_sets_is_a_setting(compose: dict[str, Any]) -> None:
    set_by_it = {
        name
        for service in compose["services"].values()
        for name in service.get("environment", {})
        if name.startswith("NEUROSENSE_")
    }
    assert set_by_it
    assert set_by_it <= known_variables()


def test_every_variable_that_it_reads_is_a_setting_or_its_own() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    assert read - known_variables() == {"NEUROSENSE_PUBLISH_HOST", "GRAFANA_PORT"}


def test_secrets_come_from_files_and_are_in_no_variable(compose: dict[str, Any]) -> None:
    names = ("postgres_password", "grafana_password", "page_key", "triton_control_key")
    assert compose["secrets"] == {name: {"file": f"./secrets/{name}"} for name in names}
    head = COMPOSE.read_text().partition("name:")[0]
    for name in names:
        assert f"> docker/secrets/{name}" in head
        assert f"> docker/secrets/{name}" in (PROJECT / "README.md").read_text()
    assert "*" in (COMPOSE.parent / "secrets" / ".gitignore").read_text().splitlines()
    users = {name: service.get("secrets") for name, service in compose["services"].items()}
    assert users == {
        **{key: ["triton_control_key"] for key in ("triton", "triton-gpu", *ONE_SHOT)},
        "prometheus": None,
        "grafana": ["grafana_password"],
        "postgres": ["postgres_password"],
        "api": ["postgres_password", "page_key"],
        "page": ["page_key"],
    }
    environment = compose["services"]["api"]["environment"]
    assert ":" not in environment["DATABASE_URL"].removeprefix("postgresql://").partition("@")[0]


SECRETS = {"PGPASSWORD_FILE": "PGPASSWORD", "PAGE_KEY_FILE": "NEUROSENSE_PAGE_KEY"}


@pytest.mark.parametrize(("given", "handed_on"), SECRETS.items())
def test_the_entrypoint_hands_a_secret_on_as_a_variable(
    tmp_path: Path, given: str, handed_on: str
) -> None:
    (tmp_path / "secret").write_text("it's a 'secret' $HOME\n")
    result = subprocess.run(
        [PROJECT / "docker" / "entrypoint.sh", "sh", "-c", f'printf %s "${handed_on}"'],
        env={"PATH": os.environ["PATH"], given: str(tmp_path / "secret")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "it's a 'secret' $HOME"


@pytest.mark.parametrize("given", SECRETS)
def test_the_entrypoint_fails_where_a_secret_is_missing(tmp_path: Path, given: str) -> None:
    result = subprocess.run(
        [PROJECT / "docker" / "entrypoint.sh", "true"],
        env={"PATH": os.environ["PATH"], given: str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "none" in result.stderr


def test_the_keys_of_the_api_outlive_its_container(compose: dict[str, Any]) -> None:
    [volume] = compose["services"]["api"]["volumes"]
    name, _, folder = volume.partition(":")
    assert name in compose["volumes"]
    image = variables(PROJECT / "docker" / "api.Dockerfile")
    assert Path(image["NEUROSENSE_API_KEYS_FILE"]).parent == Path(folder)
    assert (
        f"install -d -o 10001 -m 700 {folder}\n"
        in (PROJECT / "docker" / "api.Dockerfile").read_text()
    )


def test_images_are_pinned_and_triton_has_shared_memory(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert re.search(r":v?\d+\.\d+", service["image"])
    for name in ("triton", "triton-gpu"):
        assert compose["services"][name]["shm_size"] == "1gb"
