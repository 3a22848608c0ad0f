"""Pictures of reports. Each function draws into `ax`, a matplotlib Axes, or into a new one, and returns it.

These need matplotlib: pip install 'weir-report[plots]'.
"""

from __future__ import annotations

from typing import Optional

try:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.ticker import EngFormatter
except ImportError as error:
    raise ImportError("weir_report.plots needs matplotlib: pip install 'weir-report[plots]'") from error

from .reading import ReportError
from .report import Report

SECOND_NS = 1e9
# A legend with more lines hides the picture.
MOST_NAMES = 10


def heap(report: Report, *, process: Optional[int] = None, ax: Optional[Axes] = None) -> Axes:
    """Live bytes over time, in seconds since the first process image started: a line for each image."""
    points = report.timeline(process).dropna(subset=["live_bytes"])
    if points.empty:
        raise ReportError(f"{report.name} has no live bytes over time")
    ax = axes(ax)
    first = report.json["started_unix_ns"]
    for (pid, image), of_image in points.groupby(["pid", "image"]):
        seconds = (of_image["unix_ns"] - first).astype("float64") / SECOND_NS
        ax.plot(seconds, of_image["live_bytes"].astype("float64"), drawstyle="steps-post", label=f"process {pid}, image {image}")
    ax.set(title="Live heap", xlabel="time in s", ylabel="live bytes", ylim=(0, None))
    ax.yaxis.set_major_formatter(EngFormatter(unit="B"))
    if len(ax.lines) <= MOST_NAMES:
        ax.legend()
    return ax


def latency(report: Report, function: str, *, part: str = "all", process: Optional[int] = None, ax: Optional[Axes] = None) -> Axes:
    """The latency histogram of a function, both axes logarithmic: the calls of each class of the report's histogram."""
    found = report.latency(process)
    found = found[(found["function"] == function) & (found["part"] == part)]
    if found.empty:
        raise ReportError(f"{report.name} has no latencies of {function}, part {part}")
    classes = found.groupby(["from_ns", "to_ns"])["calls"].sum().reset_index().astype("float64")
    # Nothing is between 0 and 1 ns, and 0 has no place on a logarithmic axis.
    starts, ends = classes["from_ns"].clip(lower=0.5) / SECOND_NS, classes["to_ns"] / SECOND_NS
    ax = axes(ax)
    ax.bar(starts, classes["calls"], width=ends - starts, align="edge")
    ax.set(title=f"Latency of {function}", xlabel="time of a call", ylabel="calls", xscale="log", yscale="log")
    ax.xaxis.set_major_formatter(EngFormatter(unit="s"))
    return ax


def sites(
    report: Report, metric: str = "live_bytes", *, top: int = 10, process: Optional[int] = None, ax: Optional[Axes] = None
) -> Axes:
    """The call sites with the most of a column of `Report.sites()`, such as `live_bytes`, `calls` or `time_ns`, over all images. A
    label has the function that was called, and the three innermost functions of the stack."""
    found = report.sites(process)
    if metric not in found or not str(found[metric].dtype).startswith("Int"):
        raise ReportError(f"call sites have no numbers {metric!r}; see the columns of sites()")
    sums = found.groupby(["function", "stack"])[metric].sum()
    sums = sums[sums > 0].sort_values(ascending=False).head(top)[::-1]
    if sums.empty:
        raise ReportError(f"no call site of {report.name} has any {metric}; stacks are recorded by weir run --stacks all")
    ax = axes(ax)
    labels = [" ← ".join([function, *reversed(stack.split(";")[-3:])]) for function, stack in sums.index]
    ax.barh(range(len(sums)), sums.astype("float64"), tick_label=labels)
    ax.set(title=f"Call sites by {metric}", xlabel=metric)
    ax.xaxis.set_major_formatter(EngFormatter())
    return ax


def axes(ax: Optional[Axes]) -> Axes:
    """Those that are given, or new ones."""
    return plt.subplots(layout="constrained")[1] if ax is None else ax
