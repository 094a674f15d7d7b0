"""`neurosense keys …`, in the API's image `python -m api.key_commands …`."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.keys import ApiKey, KeysError, create, read, revoke

app = typer.Typer(
    name="keys",
    help="Make, list and revoke API keys. A running API takes a change at once.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def default_file() -> Path:
    """Return the file that `neurosense serve` uses: the state folder's, unless one is named."""
    if named := os.environ.get("NEUROSENSE_API_KEYS_FILE"):
        return Path(named).expanduser()
    state = os.environ.get("NEUROSENSE_STATE_DIR") or Path(__file__).parents[1] / ".neurosense"
    return Path(state).expanduser() / "api_keys.json"


class _Scope(StrEnum):
    ANALYZE = "analyze"
    READ = "read"
    ADMIN = "admin"


_File = Annotated[
    Path,
    typer.Option(
        "--file",
        default_factory=default_file,
        show_default="NEUROSENSE_API_KEYS_FILE, or api_keys.json in the state folder",
        help="the file of the keys",
    ),
]


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="who or what the key is for, such as `web-shop`")],
    scopes: Annotated[
        list[_Scope],
        typer.Option(
            "--scope",
            help="what it may do, once for each: analyze (predictions), read (the log and its "
            "figures), admin (everything, deleting too)",
        ),
    ],
    file: _File,
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    From the first key on the API answers nobody without one.

    - `neurosense keys create web-shop --scope analyze`

    - `neurosense keys create me --scope admin > my.key` keeps it off the screen
    """
    with _problems_told():
        entry, key = create(file, name, [scope.value for scope in scopes])
    print(key)  # noqa: T201  alone on stdout, for a pipe
    _tell(f"Key {entry.name} ({entry.id}, {', '.join(entry.scopes)}) is in {file}.")
    _tell("This is the only time that it is shown. Send it as `Authorization: Bearer …`.")


@app.command("list")
def list_keys(
    file: _File,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON, for programs")] = False,
) -> None:
    """Show who has a key and for what; no key can be shown again."""
    with _problems_told():
        keys = read(file) if file.exists() else ()
    if as_json:
        shown = [key.model_dump(mode="json", exclude={"sha256"}) for key in keys]
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
        return
    for key in keys:
        sys.stdout.write(_row(key))
    if not keys:
        _tell(f"No keys in {file}. Make one: neurosense keys create NAME --scope analyze")


@app.command("revoke")
def revoke_key(
    id_or_name: Annotated[str, typer.Argument(help="as `neurosense keys list` shows it")],
    file: _File,
) -> None:
    """Take a key back: the API refuses it from now on."""
    with _problems_told():
        entry = revoke(file, id_or_name)
        left = len(read(file))
    _tell(f"Key {entry.name} ({entry.id}) is revoked; {left} left in {file}.")
    if not left:
        _tell("The API refuses everybody now. On loopback, a start without the file is open again.")


def _row(key: ApiKey) -> str:
    created = f"{key.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{key.id}  {key.name:24} {','.join(key.scopes):20} {created}\n"


@contextmanager
def _problems_told() -> Iterator[None]:
    try:
        yield
    except (KeysError, OSError) as error:
        _tell(f"neurosense: {error}")
        raise typer.Exit(1) from None


def _tell(message: str) -> None:
    typer.echo(message, err=True)


if __name__ == "__main__":
    app()
