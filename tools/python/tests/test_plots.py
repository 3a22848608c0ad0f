"""Pictures have the numbers of the tables."""

import subprocess
import sys

import matplotlib

matplotlib.use("Agg")

import pytest

import weir_report
from weir_report import plots


@pytest.fixture(autouse=True)
def closed():
    """Leaves no picture open."""
    yield
    matplotlib.pyplot.close("all")


def test_the_heap_is_a_line_for_each_image(tree, tmp_path):
    report = weir_report.load(tree)
    ax = plots.heap(report)
    timeline = report.timeline()
    assert len(ax.lines) == timeline.groupby(["pid", "image"]).ngroups >= 3
    assert max(max(line.get_ydata()) for line in ax.lines) == timeline["live_bytes"].max() > 3_000_000
    ends = timeline["unix_ns"].max() - report.json["started_unix_ns"]
    assert max(max(line.get_xdata()) for line in ax.lines) == pytest.approx(ends / 1e9)
    ax.figure.savefig(tmp_path / "heap.png")
    assert (tmp_path / "heap.png").stat().st_size > 5_000


def test_a_histogram_has_a_bar_for_each_class(shop, tmp_path):
    report = weir_report.load(shop)
    ax = plots.latency(report, "read")
    latency = report.latency()
    latency = latency[latency["function"] == "read"]
    assert len(ax.patches) == len(latency) > 5
    assert sum(bar.get_height() for bar in ax.patches) == latency["calls"].sum()
    assert min(bar.get_x() for bar in ax.patches) == pytest.approx(latency["from_ns"].min() / 1e9)
    ax.figure.savefig(tmp_path / "latency.png")


def test_call_sites_are_those_with_the_most(shop, tmp_path):
    report = weir_report.load(shop)
    ax = plots.sites(report, "calls", top=3)
    sites = report.sites().groupby(["function", "stack"])["calls"].sum().nlargest(3)
    assert sorted(bar.get_width() for bar in ax.patches) == sorted(sites)
    ax = plots.sites(report, "live_bytes")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[-1].startswith("malloc ← ") and " ← remember ← " in labels[-1]
    ax.figure.savefig(tmp_path / "sites.png")


def test_pictures_go_where_they_are_told(shop):
    report = weir_report.load(shop)
    _, grid = matplotlib.pyplot.subplots(1, 3)
    assert [plots.heap(report, ax=grid[0]), plots.latency(report, "read", ax=grid[1]), plots.sites(report, ax=grid[2])] == list(grid)


def test_without_numbers_there_is_no_picture(parts, shop):
    with pytest.raises(weir_report.ReportError, match="no latencies of nothing"):
        plots.latency(weir_report.load(parts), "nothing")
    with pytest.raises(weir_report.ReportError, match="no numbers 'stack'"):
        plots.sites(weir_report.load(shop), "stack")
    report = weir_report.load(shop)
    report.json["processes"][0].pop("stacks")
    with pytest.raises(weir_report.ReportError, match="weir run --stacks all"):
        plots.sites(report)
    report.json["processes"][0]["heap"]["not_known"] = "the test says so"
    with pytest.raises(weir_report.ReportError, match="no live bytes"):
        plots.heap(report)


def test_without_matplotlib_only_pictures_are_missing(shop):
    code = """
import sys
sys.modules["matplotlib"] = None
import weir_report
print(len(weir_report.load(sys.argv[1]).functions()))
from weir_report import plots
"""
    done = subprocess.run([sys.executable, "-c", code, shop], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert int(done.stdout) > 3
    assert done.stderr.splitlines()[-1] == "ImportError: weir_report.plots needs matplotlib: pip install 'weir-report[plots]'"
