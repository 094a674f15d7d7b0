"""Options that `neurosense evaluate` and `neurosense calibrate` share."""

from pathlib import Path
from typing import Annotated

import typer

from evaluation.layouts import Layout

Data = Annotated[
    Path, typer.Argument(help="a manifest (CSV or JSON Lines), or a corpus's folder with --layout")
]
LayoutOption = Annotated[
    Layout | None, typer.Option(help="how the data lies: a manifest, or as a corpus is published")
]
Dev = Annotated[str, typer.Option(help="the split that weights and temperatures are chosen on")]
Test = Annotated[str, typer.Option(help="the split that is scored")]
Repository = Annotated[
    Path | None, typer.Option(help="where versions are published (default: the state folder's)")
]
