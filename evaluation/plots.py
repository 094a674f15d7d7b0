"""The plots of the report, as SVG inside the page. All axes run from 0 to 1."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ensemble.fusion import DEFAULT_TEXT_WEIGHT

_BLUE, _ORANGE, _GREY, _PALE = "#0072B2", "#D55E00", "#999999", "#dddddd"  # Okabe and Ito's
_LEFT, _TOP, _WIDTH, _HEIGHT = 44, 8, 300, 200  # of the field, in user units
_KEY_STEP = 18  # between two lines of the key
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability(calibration: dict[str, Any]) -> str:
    """Draw accuracy against confidence, with the share of the rows in each bin behind it."""
    bins = calibration["bins"]
    rows = sum(one["rows"] for one in bins)
    shares = [(one["confidence"], one["rows"] / rows) for one in bins]
    right = [(one["confidence"], one["accuracy"]) for one in bins]
    drawn = [
        *(_line([(x, 0.0), (x, share)], _PALE, width=10) for x, share in shares),
        _line([(0.0, 0.0), (1.0, 1.0)], _GREY, dashed=True),
        _line(right, _BLUE, dots=True),
    ]
    key = [("accuracy", _BLUE), ("as sure as right", _GREY), ("share of the rows", _PALE)]
    words = f"Reliability: ECE {calibration['ece']:.3f}"
    return _chart(words, "confidence", "accuracy", drawn, key)


def abstaining(curve: list[dict[str, float]]) -> str:
    """Draw the accuracy of the rows that are kept if the least sure are left out."""
    points = [(at["kept"], at["accuracy"]) for at in curve]
    words = f"All answered: {points[0][1]:.3f}; the surest half: {points[10][1]:.3f}"
    drawn = [_line(points, _BLUE, dots=True)]
    axes = "share of the rows that are answered", "accuracy of the answers"
    return _chart(words, *axes, drawn, [("accuracy", _BLUE)])


def sweep(curves: dict[str, list[dict[str, float]]], measure: str) -> str:
    """Draw a measure against the weight of the text, for both strategies."""
    named = measure.replace("_", " ")
    key = list(zip(curves, (_BLUE, _ORANGE), strict=True))
    default = [(DEFAULT_TEXT_WEIGHT, 0.0), (DEFAULT_TEXT_WEIGHT, 1.0)]
    drawn = [_line(default, _GREY, dashed=True)]
    for name, colour in key:
        points = [(at["weight"], at[measure]) for at in curves[name]]
        drawn.append(_line(points, colour, dots=True))
    key.append((f"the default, {DEFAULT_TEXT_WEIGHT}", _GREY))
    words = f"{named} at every weight of the text"
    return _chart(words, "weight of the text", named, drawn, key)


def _chart(words: str, x: str, y: str, drawn: Iterable[str], key: Sequence[tuple[str, str]]) -> str:
    """Return the SVG, with `words` for those who cannot see it."""
    below = _TOP + _HEIGHT + 34
    middle = _TOP + _HEIGHT / 2
    named = [
        _text(_LEFT + _WIDTH / 2, below, x),
        f'<g transform="rotate(-90 11 {middle:g})">{_text(11, middle, y)}</g>',
    ]
    for number, (name, colour) in enumerate(key, start=1):
        at = below + number * _KEY_STEP
        named.append(f'<circle cx="{_LEFT + 4}" cy="{at - 4}" r="4" fill="{colour}"/>')
        named.append(_text(_LEFT + 14, at, name, "start"))
    size = f"0 0 {_LEFT + _WIDTH + 12} {below + len(key) * _KEY_STEP + 6}"
    return (
        f'<svg role="img" aria-label="{escape(words)}" viewBox="{size}" width="400" '
        f'font-size="11"><title>{escape(words)}</title>'
        f"{''.join([*_field(), *drawn, *named])}</svg>"
    )


def _field() -> Iterable[str]:
    for tick in _TICKS:
        yield _line([(0.0, tick), (1.0, tick)], _PALE, width=0.5)
        yield _text(_LEFT - 6, _y(tick) + 4, f"{tick:g}", "end")
        yield _text(_x(tick), _TOP + _HEIGHT + 16, f"{tick:g}")


def _line(
    points: Sequence[tuple[float, float]],
    colour: str,
    *,
    width: float = 1.5,
    dashed: bool = False,
    dots: bool = False,
) -> str:
    places = [(_x(x), _y(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    line = (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'
    )
    circles = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
    return line + "".join(circles if dots else ())


def _x(value: float) -> float:
    return _LEFT + _WIDTH * value


def _y(value: float) -> float:
    return _TOP + _HEIGHT * (1 - value)


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
