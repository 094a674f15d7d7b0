"""How plots look: one colour, marker and hatch for a name wherever it appears.

The colours are Okabe and Ito's, which colour-blind readers tell apart
(https://jfly.uni-koeln.de/color/); markers, dashes and hatches do so in grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # draws into files; no screen is needed
from matplotlib import pyplot as plt

from benchmarks.points import COMPILED, EAGER, NAIVE, OURS

_COLOURS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
_FIXED = (EAGER, COMPILED, NAIVE, f"{OURS}fp32", f"{OURS}int8", f"{OURS}fp16", f"{OURS}bf16")
_SIZE_INCHES = (7.0, 4.6)
_DOTS_PER_INCH = 120
_LEGEND_COLUMNS = 3


def place(name: str, names: Sequence[str]) -> int:
    """Return which style a name has: the variants' are fixed, others' follow their order."""
    return (_FIXED.index(name) if name in _FIXED else list(names).index(name)) % len(_COLOURS)


def line(name: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the style of a name's line."""
    number = place(name, names)
    return {
        "color": _COLOURS[number],
        "marker": _MARKERS[number],
        "linestyle": _DASHES[number],
        "label": name,
    }


def floor(number: int, precision: str) -> dict[str, Any]:
    """Return the style of what the hardware allows at a precision: grey, without marks."""
    shade = ("#666666", "#aaaaaa")[number % 2]
    return {"color": shade, "linewidth": 3, "zorder": 1, "label": f"floor at {precision}"}


def bars(axes: Any, values: Mapping[str, float | None], label: str) -> None:
    """Draw a bar for each name, with its value above it; None leaves its place empty."""
    names = list(values)
    for number, (name, value) in enumerate(values.items()):
        if value is not None:
            style = place(name, names)
            look = {"facecolor": _COLOURS[style], "hatch": _HATCHES[style], "edgecolor": "white"}
            axes.bar_label(axes.bar(number, value, **look), fmt="%.3g")
    axes.margins(y=0.1)  # for the values
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set(ylabel=label)


def axes(title: str, x: str, y: str) -> tuple[Any, Any]:
    """Return a new figure and its axes, labelled; both labels name their unit."""
    figure, drawn = plt.subplots(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    drawn.set(title=title, xlabel=x, ylabel=y)
    drawn.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    drawn.set_axisbelow(True)
    return figure, drawn


def two_axes(title: str) -> tuple[Any, Any]:
    """Return a new figure and two axes side by side."""
    size = (1.4 * _SIZE_INCHES[0], _SIZE_INCHES[1])
    figure, drawn = plt.subplots(1, 2, figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    figure.suptitle(title)
    return figure, drawn


def logarithmic(axes: Any, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, marked with the values that were measured."""
    axes.set(xscale="log")
    marks = sorted(set(values))
    axes.xaxis.set_ticks(marks, labels=[f"{value:g}" for value in marks])
    axes.xaxis.set_ticks([], minor=True)


def write(figure: Any, file: Path) -> Path:
    """Write a figure as PNG, with a legend where its lines have names, and let go of it."""
    if any(axes.get_legend_handles_labels()[1] for axes in figure.axes):
        figure.legend(loc="outside lower center", ncols=_LEGEND_COLUMNS, frameon=False)
    figure.savefig(file)
    plt.close(figure)
    return file
