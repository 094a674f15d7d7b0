"""The plots of the report, as SVG inside the page; they need matplotlib."""

import base64
import io
from importlib.util import find_spec
from typing import Any

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#999999"  # Okabe and Ito's


def available() -> bool:
    """Whether matplotlib is there (the extra `bench`)."""
    return find_spec("matplotlib") is not None


def reliability(calibration: dict[str, Any]) -> str:
    """Draw accuracy against confidence, with the share of the rows in each bin behind it."""
    figure, axes = _axes("confidence", "accuracy")
    bins = calibration["bins"]
    rows = sum(one["rows"] for one in bins)
    sure = [one["confidence"] for one in bins]
    shares = [one["rows"] / rows for one in bins]
    axes.bar(sure, shares, width=0.04, color="#dddddd", label="share of the rows")
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="as sure as right")
    right = [one["accuracy"] for one in bins]
    axes.plot(sure, right, color=_BLUE, marker="o", label="accuracy")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return _image(figure, f"Reliability: ECE {calibration['ece']:.3f}")


def abstaining(curve: list[dict[str, float]]) -> str:
    """Draw the accuracy of the rows that are kept if the least sure are left out."""
    figure, axes = _axes("share of the rows that are answered", "accuracy of the answers")
    kept, right = ([at[name] for at in curve] for name in ("kept", "accuracy"))
    axes.plot(kept, right, color=_BLUE, marker="o", label="accuracy")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    return _image(figure, f"All answered: {right[0]:.3f}; the surest half: {right[10]:.3f}")


def sweep(curves: dict[str, list[dict[str, float]]], measure: str) -> str:
    """Draw a measure against the weight of the text, for both strategies."""
    figure, axes = _axes("weight of the text", measure.replace("_", " "))
    for (name, curve), colour, marker in zip(
        curves.items(), (_BLUE, _ORANGE), ("o", "s"), strict=True
    ):
        weights, values = ([at[field] for at in curve] for field in ("weight", measure))
        axes.plot(weights, values, color=colour, marker=marker, markersize=4, label=name)
    axes.axvline(0.55, color=_GREY, linestyle="--", label="the default, 0.55")
    return _image(figure, f"{measure.replace('_', ' ')} at every weight of the text")


def _axes(x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # not pyplot: no global state, no screen

    figure = Figure(figsize=(4.6, 3.4))
    axes = figure.add_axes((0.13, 0.26, 0.83, 0.71))  # fixed: laying out takes most of the time
    axes.set(xlabel=x, ylabel=y)
    axes.grid(visible=True, color="#eeeeee")
    axes.set_axisbelow(True)
    return figure, axes


def _image(figure: Any, words: str) -> str:
    """Return an <img> that holds the figure, with `words` for those who cannot see it."""
    from matplotlib import rc_context

    figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=8)
    drawn = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "neurosense"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    content = base64.b64encode(drawn.getvalue()).decode()
    return f'<img alt="{words}" title="{words}" src="data:image/svg+xml;base64,{content}">'
