"""`make test` ends with the table of the faults, although other processes ran them."""

import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.chaos.test_harness import GOOD

TESTS = Path(__file__).parents[1]
NEEDED = ("__init__.py", "conftest.py", "waiting.py", "chaos/__init__.py", "chaos/reports.py")
FAULT = """
from tests.chaos.reports import PROPERTY

def test_a_fault(record_property):
    record_property(PROPERTY, {result})
"""


def test_the_table_comes_from_other_processes(tmp_path: Path) -> None:
    (tmp_path / "tests/chaos").mkdir(parents=True)
    for file in NEEDED:
        shutil.copy(TESTS / file, tmp_path / "tests" / file)
    (tmp_path / "tests/chaos/test_one.py").write_text(FAULT.format(result=asdict(GOOD)))
    command = [sys.executable, "-m", "pytest", "-n", "1", "-o", "testpaths=tests"]
    command += ["-p", "no:schemathesis"]  # as in pyproject.toml: it takes long to import
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    [row] = [line for line in done.stdout.splitlines() if "| A fault" in line]
    assert "2 × 503" in row
