"""What the OpenAPI promises holds for requests that nobody would write by hand."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import Stack

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def assert_keeps_its_promises(url: str, folder: Path, examples: int) -> None:
    """No 500, no undocumented status or content type, no answer off its schema."""
    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{url}/openapi.json", f"--max-examples={examples}",
            "--generation-deterministic", "--phases=examples,coverage,fuzzing",
            "--checks=all", "--no-color", "--continue-on-failure", "--request-timeout=60",
            # A string is no recording, and a blank no sentence: the schema cannot say that.
            "--exclude-checks=positive_data_acceptance",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    [tried] = re.findall(r"([\d,]+) generated", done.stdout)
    assert int(tried.replace(",", "")) >= 100


def test_with_models_that_know_one_answer(client: httpx.Client, tmp_path: Path) -> None:
    assert_keeps_its_promises(str(client.base_url), tmp_path, examples=200)


def test_with_the_real_models(stack: Stack, tmp_path: Path) -> None:
    assert_keeps_its_promises(stack.api_url, tmp_path, examples=5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_with_the_real_models_for_long(stack: Stack, tmp_path: Path) -> None:
    assert_keeps_its_promises(stack.api_url, tmp_path, examples=2000)
