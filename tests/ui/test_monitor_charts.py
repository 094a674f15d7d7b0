"""What Monitor draws of the log's counts."""

from datetime import UTC, datetime
from typing import Any

from ui.monitor_charts import _latency, _volume
from ui.time_charts import Span, rows

COUNTS: dict[str, Any] = {"emotions": {}, "models": {}}


def counts(total: int, degraded: int, p50: float | None, p99: float | None) -> dict[str, Any]:
    latency = {"p50": p50, "p95": p99, "p99": p99}
    return {"total": total, "degraded": degraded, "latency_ms": latency}


FOUND = counts(5, 1, 20.0, 2000.0) | {
    "bucket": "minute",
    # The last one has nothing but what a recording comes to, which is counted apart.
    "over_time": [counts(1, 1, 10.0, 500.0), counts(4, 0, 20.0, 2000.0), counts(0, 0, None, None)],
}


def test_the_share_that_is_degraded_is_drawn_and_not_the_count() -> None:
    total, degraded = _volume(FOUND)
    assert (total.values, total.name) == ([1, 4, 0], "Predictions: 5")
    assert degraded.values == [1.0, 0.0, 0.0]
    assert degraded.name == "Degraded: 1 (20%), worst minute 100%"


def test_half_is_seen_beside_the_slowest_and_a_slice_is_no_block() -> None:
    starts = [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in range(3)]
    chart = rows("Latency", _latency(FOUND), Span(starts, "minute"), "#000", "#000").to_dict()
    bars = chart["datasets"][chart["layer"][0]["data"]["name"]]
    heights: dict[str, float] = {}
    for bar in bars:
        height = bar["top"] - bar["floor"]
        heights[bar["name"]] = max(height, heights.get(bar["name"], 0.0))
    assert "Half within: 20 ms, slowest minute 20 ms" in heights
    assert len(heights) == 3
    assert min(heights.values()) > 0.5
    first, last = chart["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert last - first == 12 * 60_000
