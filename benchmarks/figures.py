"""`python -m benchmarks.figures RESULTS.json`: the report, with tables and plots."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import figure_tables, model_table, plots, report, target
from benchmarks.peers.table import notes as peers_notes
from benchmarks.peers.table import table as peers_table
from benchmarks.results import Results, load
from benchmarks.targets import targets

_File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="what was measured")]
_Folder = Annotated[
    Path | None, typer.Option("--output", help="folder for README.md and the plots [the file's]")
]


def write(results: Results, folder: Path) -> Path:
    """Write README.md with its plots beside it, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [f"![{file.stem}]({file.name})" for file in plots.draw(results, folder)]
    sections = [section for section in _sections(results) if section]
    file = folder / "README.md"
    file.write_text("\n\n".join([*sections, *pictures]) + "\n")
    return file


def _sections(results: Results) -> Iterator[str]:
    yield "# What was measured"
    yield _listed([f"{name}: {fact}" for name, fact in results.facts.items()])
    yield "## Targets"
    yield target.table(targets(results))
    if results.models:
        yield "## Models alone"
        yield model_table.table(results.models)
        yield _listed(model_table.notes(results.models))
    if results.service:
        yield "## Service"
        yield report.table(results.service)
        yield _listed(report.notes({}))
    yield from _of_whole(results)
    if results.peers:
        yield "## Peers"
        yield peers_table(results.peers)
        yield _listed(peers_notes(results.peers))
    if results.growth:
        yield "## How cost grows"
        yield figure_tables.growth(results.growth)


def _of_whole(results: Results) -> Iterator[str]:
    if results.api:
        yield "### The public API"
        yield figure_tables.api(results.api)
    if results.ratios:
        yield "### Compared in turn"
        yield figure_tables.ratios(results.ratios)
    if results.memory_mb:
        yield "### Memory of the whole service"
        yield figure_tables.memory(results.memory_mb)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def main(file: _File, output: _Folder = None) -> None:
    """Write the report of a results file."""
    try:
        results = load(file)
    except ValueError as error:
        sys.exit(f"benchmarks.figures: {file} holds no results: {error}")
    print(write(results, output or file.parent))


if __name__ == "__main__":
    typer.run(main)
