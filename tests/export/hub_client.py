"""Asks a hub in a process of its own: the hub's library reads its settings when imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

FETCH = """
import json, sys
from export.errors import ExportError
from export.hub import fetch
lines = []
try:
    print(json.dumps({"folder": str(fetch(sys.argv[1], sys.argv[2] or None, lines.append)),
                      "lines": lines}))
except ExportError as error:
    print(json.dumps({"error": str(error), "lines": lines}))
"""


def run(code: str, *arguments: str, home: Path, endpoint: str, **more: str) -> str:
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("HF_") and not key.lower().endswith("_proxy")
    }
    environment |= {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, **more}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    ).stdout


def fetch(name: str, revision: str, home: Path, endpoint: str) -> dict[str, str]:
    answer: dict[str, str] = json.loads(run(FETCH, name, revision, home=home, endpoint=endpoint))
    return answer
