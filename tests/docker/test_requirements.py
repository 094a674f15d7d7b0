"""Each image installs what the code that it copies imports."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.docker.files import PROJECT

_OURS = {"api", "ensemble", "export", "serving", "ui"}
# Inside Triton only.
_TRITON = {"triton_python_backend_utils"}


def imported(files: list[Path]) -> set[str]:
    """Return the packages that these files import, the standard library and ours left out."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - _OURS - _TRITON


def locked(requirements: Path) -> set[str]:
    """Return the distributions of a requirements file, by normalized name."""
    lines = [line for line in requirements.read_text().splitlines() if "==" in line]
    return {normalized(line.partition("==")[0]) for line in lines}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@pytest.mark.parametrize(
    ("requirements", "patterns"),
    [
        ("api", ["api/*.py"]),
        ("ui", ["ui/*.py"]),
        ("steps", ["ensemble/*.py", "model_repository/*/1/model.py"]),
    ],
)
def test_an_image_installs_what_its_code_imports(requirements: str, patterns: list[str]) -> None:
    packages = imported([file for pattern in patterns for file in PROJECT.glob(pattern)])
    assert packages
    distributions = packages_distributions()
    available = locked(PROJECT / "requirements" / f"{requirements}.txt")
    missing = {
        package
        for package in packages
        if not {normalized(name) for name in distributions[package]} & available
    }
    assert not missing
