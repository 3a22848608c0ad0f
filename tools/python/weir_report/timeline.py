"""Counters and latencies over time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .columns import OF_IMAGE, numbers, text

Json = dict[str, Any]
Row = list[Any]

COUNTERS = ("live_bytes", "alloc_calls", "alloc_bytes", "io_calls", "read_bytes", "written_bytes", "copied_bytes", "threads")
USAGE = ("resident_bytes", "minor_faults", "major_faults", "user_ns", "system_ns")

TIMELINE = {**OF_IMAGE, **numbers("unix_ns", "at_ns", *COUNTERS, *USAGE)}
LATENCY_OVER_TIME = {**OF_IMAGE, **text("activity"), **numbers("at_ns", "until_ns", "from_ns", "to_ns", "calls")}


def timeline(image: Json) -> Iterator[Row]:
    """The counters of a process image: totals since its start. Live bytes are missing where the heap is not known."""
    is_known = image["heap"].get("not_known") is None
    for point in image["timeline"]["points"]:
        usage = point.get("usage", {})
        yield [
            image["started_unix_ns"] + point["at_ns"],
            point["at_ns"],
            *(_at(point, key) if is_known or key != "live_bytes" else None for key in COUNTERS),
            *(usage.get(key) for key in USAGE),
        ]


def _at(point: Json, key: str) -> int | None:
    # What is 0 is left out.
    return point.get(key, 0) if key == "copied_bytes" else point.get(key)


def latency_over_time(image: Json) -> Iterator[Row]:
    """The timed calls of a process image by time and latency; latencies are in classes of half an octave."""
    grid = image.get("latency_over_time")
    if grid is None:
        return
    width = grid["interval_ns"]
    for activity, cells in grid["activities"].items():
        for column, row, calls in cells:
            yield [activity, column * width, (column + 1) * width, edge(row), edge(row + 1), calls]


def edge(row: int) -> int:
    """The first whole number of nanoseconds that is at least 2**(row / 2); 0 for row 0, which has 0 ns, too."""
    if row == 0:
        return 0
    # A power of two is never a square times two, so the root of an odd row's is no whole number.
    root = math.isqrt(1 << row)
    return root if row % 2 == 0 else root + 1
