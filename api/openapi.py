"""`python -m api.openapi` rewrites openapi.json, the committed copy of what is served."""

import json
from pathlib import Path

from api.app import create_app
from api.settings import Settings

PATH = Path(__file__).with_name("openapi.json")


def rendered() -> str:
    """Return the file's text."""
    app = create_app(Settings(DATABASE_URL="postgresql://"))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(rendered(), encoding="utf-8")
