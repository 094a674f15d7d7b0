"""The plots of the report; each is skipped where nothing of it was measured."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from benchmarks import style
from benchmarks.peers.compared import Compared
from benchmarks.points import TYPICAL, UNITS, Measured
from benchmarks.report import Measurement
from benchmarks.results import Grown, Results
from export.manifest import Branch


def draw(results: Results, folder: Path) -> Iterator[Path]:
    """Write every plot that the results have figures for, and yield its file."""
    for branch in get_args(Branch):
        of_branch = [one for one in results.models if one.point.branch == branch]
        yield from _lengths(branch, [one for one in of_branch if one.point.rows == 1], folder)
        typical = [one for one in of_branch if one.point.length == TYPICAL[branch]]
        yield from _batches(branch, typical, folder)
    levels = [one for one in results.service if one.protocol == "grpc" and not one.rate_per_s]
    if levels:
        yield _throughput(levels, folder)
        for model in dict.fromkeys(one.model for one in levels):
            yield _latency(model, [one for one in levels if one.model == model], folder)
    measured = [one for one in results.peers if one.rounds]
    if measured:
        yield _peers(measured, folder)
    for varied in dict.fromkeys(one.varied for one in results.growth):
        yield _growth(varied, [one for one in results.growth if one.varied == varied], folder)


def _lengths(branch: Branch, found: Sequence[Measured], folder: Path) -> Iterator[Path]:
    """Draw the time of one input against its length, with the floors."""
    if not found:
        return
    figure, axes = style.axes(
        f"{branch} classifier, batch 1", f"length ({UNITS[branch]})", "time (ms)"
    )
    axes.set(yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    _variants(axes, found, lambda one: one.point.length, _milliseconds)
    for number, precision in enumerate(found[0].floors_s):
        points = [(one.point.length, one.floors_s[precision] * 1e3) for one in found]
        axes.plot(*zip(*sorted(points), strict=True), **style.floor(number, precision))
    style.logarithmic(axes, [one.point.length for one in found])
    yield style.write(figure, folder / f"{branch}-lengths.png")


def _batches(branch: Branch, found: Sequence[Measured], folder: Path) -> Iterator[Path]:
    """Draw inputs per second against the batch, at the typical length."""
    if len(found) < 2:
        return
    title = f"{branch} classifier, {TYPICAL[branch]:g} {UNITS[branch]}"
    figure, axes = style.axes(title, "batch (inputs)", "throughput (inputs per second)")
    _variants(axes, found, lambda one: one.point.rows, _per_second)
    style.logarithmic(axes, [one.point.rows for one in found])
    axes.set_ylim(bottom=0)
    yield style.write(figure, folder / f"{branch}-batches.png")


def _milliseconds(one: Measured, name: str) -> tuple[float, float, float]:
    timing = one.timings[name]
    return timing.low_s * 1e3, timing.median_s * 1e3, timing.high_s * 1e3


def _per_second(one: Measured, name: str) -> tuple[float, float, float]:
    timing, rows = one.timings[name], one.point.rows
    return rows / timing.high_s, rows / timing.median_s, rows / timing.low_s


def _variants(
    axes: Any,
    found: Sequence[Measured],
    x: Callable[[Measured], float],
    y: Callable[[Measured, str], tuple[float, float, float]],
) -> None:
    """Draw a line for each variant through its medians, with bars from quartile to quartile."""
    ordered = sorted(found, key=x)
    names = list(dict.fromkeys(name for one in ordered for name in one.timings))
    for name in names:
        points = [one for one in ordered if name in one.timings]
        lows, middles, highs = zip(*(y(one, name) for one in points), strict=True)
        below = [middle - low for middle, low in zip(middles, lows, strict=True)]
        above = [high - middle for middle, high in zip(middles, highs, strict=True)]
        xs = [x(one) for one in points]
        axes.errorbar(xs, middles, [below, above], capsize=2, **style.line(name, names))


def _throughput(found: Sequence[Measurement], folder: Path) -> Path:
    figure, axes = style.axes("Service", "requests in flight", "throughput (requests per second)")
    names = list(dict.fromkeys(one.model for one in found))
    for name in names:
        points = [(m.concurrency, m.latency.per_second) for m in found if m.model == name]
        axes.plot(*zip(*sorted(points), strict=True), **style.line(name, names))
    style.logarithmic(axes, [one.concurrency for one in found])
    axes.set_ylim(bottom=0)
    return style.write(figure, folder / "service-throughput.png")


def _latency(model: str, found: Sequence[Measurement], folder: Path) -> Path:
    figure, axes = style.axes(f"Service: {model}", "requests in flight", "latency (ms)")
    ordered = sorted(found, key=lambda one: one.concurrency)
    percentiles = {"p50": "p50_ms", "p95": "p95_ms", "p99": "p99_ms"}
    for name, field in percentiles.items():
        values = [getattr(one.latency, field) for one in ordered]
        levels = [one.concurrency for one in ordered]
        axes.plot(levels, values, **style.line(name, list(percentiles)))
    style.logarithmic(axes, [one.concurrency for one in found])
    axes.set_ylim(bottom=0)
    return style.write(figure, folder / f"service-latency-{model}.png")


def _peers(found: Sequence[Compared], folder: Path) -> Path:
    """Draw throughput, and the p99 at the common rate, as bars side by side."""
    figure, (left, right) = style.two_axes("Text and clip together")
    style.bars(left, {one.name: one.per_second() for one in found}, "requests per second")
    style.bars(right, {one.name: one.p99_ms() for one in found}, "p99 at the common rate (ms)")
    return style.write(figure, folder / "peers.png")


def _growth(varied: str, found: Sequence[Grown], folder: Path) -> Path:
    label = "throughput (audio seconds per second)"
    figure, axes = style.axes("How cost grows", varied, label)
    points = sorted((one.value, one.audio_seconds_per_second or 0.0) for one in found)
    axes.plot(*zip(*points, strict=True), **style.line("throughput", ["throughput"]))
    axes.set_ylim(bottom=0)
    name = "".join(letter if letter.isalnum() else "-" for letter in varied.split(",")[0])
    return style.write(figure, folder / f"growth-{name}.png")
