"""What the OpenAPI promises holds for requests that nobody would write by hand."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.app import create_app
from api.keys import create, revoke
from api.settings import Settings
from tests.api.fakes import FakeModels
from tests.api.servers import serve
from tests.conftest import Locked

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# On a busy machine it may not be ready for a moment, and says so as documented.
SETTINGS = """
[[operations]]
include-path = "/health/ready"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]
"""


def assert_keeps_its_promises(url: str, key: str, folder: Path, examples: int) -> None:
    """No 500, no undocumented status or content type, no answer off its schema."""
    (folder / "schemathesis.toml").write_text(SETTINGS)
    done = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{url}/openapi.json", f"--max-examples={examples}",
            "--generation-deterministic", "--phases=examples,coverage,fuzzing",
            f"--header=Authorization: Bearer {key}",
            "--checks=all", "--no-color", "--continue-on-failure", "--request-timeout=60",
            # A string is no recording, and a blank no sentence: the schema cannot say that.
            "--exclude-checks=positive_data_acceptance",
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    [tried] = re.findall(r"([\d,]+) generated", done.stdout)
    assert int(tried.replace(",", "")) >= 100


@pytest.mark.slow  # `make test` asks the real ones
def test_with_models_that_know_one_answer(
    database_url: str, own_models: FakeModels, tmp_path: Path
) -> None:
    _, key = create(tmp_path / "keys.json", "tester", ["admin"])
    settings = Settings(DATABASE_URL=database_url, api_keys_file=tmp_path / "keys.json")
    with serve(create_app(settings, lambda _: own_models)) as client:
        assert_keeps_its_promises(str(client.base_url), key, tmp_path, examples=12)


def test_with_the_real_models(locked: Locked, tmp_path: Path) -> None:
    with admin_key(locked) as key:
        assert_keeps_its_promises(locked.api_url, key, tmp_path, examples=5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_with_the_real_models_for_long(locked: Locked, tmp_path: Path) -> None:
    with admin_key(locked) as key:
        assert_keeps_its_promises(locked.api_url, key, tmp_path, examples=2000)


@contextmanager
def admin_key(stack: Locked) -> Iterator[str]:
    """A key for this test alone: others count those of the stack."""
    file = stack.state_dir / "api_keys.json"
    entry, key = create(file, "promises", ["admin"])
    yield key
    revoke(file, entry.id)
