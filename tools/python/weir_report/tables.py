"""Tables of functions, errors, latencies, files, processes, threads: those of `weir export --format csv`, with the same columns."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from typing import Any

from . import histogram
from .columns import OF_IMAGE, flags, numbers, text

Json = dict[str, Any]
Row = list[Any]

FUNCTIONS = {
    **OF_IMAGE,
    **text("function", "family"),
    **numbers("calls", "errors", "requested_bytes", "moved_bytes", "reentrant"),
    **numbers("timed", "dropped", "total_ns", "estimated_total_ns", "min_ns", "mean_ns"),
    **numbers("p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"),
}
ERRORS = {**OF_IMAGE, **text("function", "errno"), **numbers("calls")}
LATENCY = {**OF_IMAGE, **text("function", "part"), **numbers("from_ns", "to_ns", "calls")}
USE = {
    **text("kind", "name"),
    **numbers("opens", "reads", "writes", "other_calls", "errors", "read_bytes", "written_bytes", "mapped_bytes"),
    **numbers("read_ns", "write_ns", "other_ns", "sequential", "random", "switches"),
}
FILES = {**OF_IMAGE, **USE}
PROCESSES = {
    **numbers("pid", "parent_pid", "processes"),
    **text("executable", "command", "started_at"),
    **numbers("duration_ns"),
    **text("end"),
    **numbers("status", "signal", "calls"),
    **numbers("live_bytes", "live_blocks", "inherited_bytes", "inherited_blocks", "peak_bytes", "peak_error_bytes"),
    **text("title"),
}
THREADS = {
    **numbers("pid", "tid"),
    **text("name"),
    **numbers("threads", "started_ns"),
    **flags("running"),
    **numbers("calls", "total_ns", "live_bytes"),
}


def called(of: Json) -> Iterator[tuple[str, Json]]:
    """The functions that were called."""
    return ((name, function) for name, function in of["functions"].items() if function["calls"] > 0)


def functions(of: Json) -> Iterator[Row]:
    """The functions of a report, or of a process image."""
    for name, function in called(of):
        latency = function.get("latency", {})
        # Where all samples were lost, the histogram says nothing.
        has_samples = bool(latency) and latency["timed"] > latency["dropped"]
        measured = latency if has_samples else {}
        yield [
            name,
            function["family"],
            *(function[key] for key in ("calls", "errors", "requested_bytes", "moved_bytes", "reentrant")),
            *(latency.get(key) for key in ("timed", "dropped", "total_ns")),
            function.get("estimated", {}).get("total_ns"),
            measured.get("min_ns"),
            latency.get("mean_ns"),
            *(measured.get(key) for key in ("p50_ns", "p90_ns", "p99_ns", "p99_9_ns")),
            latency.get("max_ns"),
        ]


def errors(of: Json) -> Iterator[Row]:
    """Its failed calls by errno. Those that the report does not list by errno have none."""
    for name, function in called(of):
        listed = function.get("errors_by_errno", {})
        yield from ([name, errno, calls] for errno, calls in listed.items())
        rest = function["errors"] - sum(listed.values())
        if rest > 0:
            yield [name, None, rest]


def latency(of: Json) -> Iterator[Row]:
    """The classes of its histograms: of all calls of a function, and of the parts of those that were measured in two."""
    damaged = []
    for name, function in called(of):
        parts = {"all": function.get("latency"), **{key: function.get("parts", {}).get(key) for key in ("wait", "transfer")}}
        for part, measured in parts.items():
            if measured is None:
                continue
            try:
                classes = list(histogram.classes(measured["histogram"]))
            except ValueError as error:
                damaged.append(f"{name} ({part}): {error}")
                continue
            yield from ([name, part, *found] for found in classes)
    if damaged:
        # As in weir export. The figures of the functions are there all the same.
        warnings.warn(f"{len(damaged)} histograms cannot be read and are left out, the first of {damaged[0]}", stacklevel=2)


def files(of: Json) -> Iterator[Row]:
    """Its files and sockets. Kind `other` without a name is the sum of those that are not listed."""
    found = of.get("files")
    # Reports of older versions have none.
    if found is None:
        return
    others = found["others"]
    counts = ("reads", "writes", "other_calls", "opens", "errors", "mapped_bytes")
    has_others = found["folded"] > 0 or any(others.get(key, 0) > 0 for key in counts)
    for use in [*found["listed"], *([others] if has_others else [])]:
        yield [use.get(key, 0) if key == "mapped_bytes" else use[key] for key in USE]


def processes(image: Json) -> Iterator[Row]:
    """The row of a process image, or of the images that the report tells together."""
    heap, end = image["heap"], image["end"]
    is_known = heap.get("not_known") is None
    sizes = ("live_bytes", "live_blocks", "inherited_bytes", "inherited_blocks", "peak_bytes", "peak_error_bytes")
    yield [
        image["pid"],
        image["parent_pid"],
        image.get("folded", {}).get("processes", 1),
        image["executable"],
        shlex.join(image["command"]),
        image.get("started_at"),
        image["duration_ns"],
        end["how"],
        end.get("status"),
        end.get("signal"),
        sum(function["calls"] for function in image["functions"].values()),
        *(heap[key] if is_known else None for key in sizes),
        image.get("title"),
    ]


def threads(image: Json) -> Iterator[Row]:
    """The threads of a process image."""
    for thread in image["threads"]:
        functions = thread["functions"].values()
        yield [
            image["pid"],
            *(thread[key] for key in ("tid", "name", "threads", "started_ns", "running")),
            sum(function["calls"] for function in functions),
            sum(function["total_ns"] for function in functions),
            thread["live_bytes"],
        ]
