"""Who may import whom, and what the repository may hold."""

import ast
import subprocess
import tomllib
from pathlib import Path

import pytest

import api

PROJECT = Path(__file__).parent.parent
OURS = {"api", "benchmarks", "ensemble", "evaluation", "export", "serving", "tests", "ui"}
ALLOWED = {
    "ensemble": set(),
    "export": {"ensemble"},
    "evaluation": {"ensemble", "export"},
    "model_repository": {"ensemble"},
    # ensemble.recording asks a process: the libraries that decode stay out of the API's own.
    "api": {"ensemble.clips", "ensemble.labels", "ensemble.errors", "ensemble.recording"},
    "ui": set(),
    "serving": OURS - {"tests"},
    "benchmarks": OURS - {"tests"},
}


def imported(file: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
    return modules


def may_import(package: str, module: str) -> bool:
    names = [module, module.split(".")[0]]
    return names[1] in {package} or any(name in ALLOWED[package] for name in names)


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_follow_the_table(package: str) -> None:
    files = list((PROJECT / package).rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(PROJECT)} imports {module}"
        for file in files
        for module in imported(file)
        if module.split(".")[0] in OURS and not may_import(package, module)
    ]
    assert wrong == []


def test_steps_compute_nothing_with_triton() -> None:
    for file in (PROJECT / "ensemble").rglob("*.py"):
        assert not any("triton" in module for module in imported(file)), file


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    return [PROJECT / name for name in listed.stdout.decode().split("\0") if name]


def test_the_api_says_the_projects_version() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["version"] == api.VERSION


def test_no_file_is_larger_than_40_mb_and_all_together_are_under_100() -> None:
    sizes = [file.stat().st_size for file in tracked_files() if file.exists()]
    assert max(sizes) < 40e6
    assert sum(sizes) < 100e6
