"""Tables have what `weir export` has of the same report."""

import csv
import io
import json
import shlex
from collections import Counter

import numpy
import pandas as pd
import pytest

import weir_report
from conftest import ROOT, weir
from weir_report import timeline

TABLES = ["functions", "errors", "latency", "files", "processes", "threads"]


def as_text(value):
    """A value as CSV has it."""
    if pd.isna(value):
        return ""
    return str(value).lower() if isinstance(value, (bool, numpy.bool_)) else str(value)


def exported(path, table, *options):
    """The columns and rows that the command writes."""
    text = weir("export", "--format", "csv", "--table", table, *options, str(path), folder=path.parent)
    columns, *rows = csv.reader(io.StringIO(text))
    return columns, [[held(value) for value in row] for row in rows]


def held(text):
    """A value as a column holds it: a number is at most the largest of 64 bits with a sign."""
    return str(min(int(text), 2**63 - 1)) if text.isdecimal() else text


def compare(path, table, found, *options):
    """Compares each value of a table."""
    columns, rows = exported(path, table, *options)
    assert list(found.columns) == columns
    values = [[as_text(value) for value in row] for row in found.astype("object").itertuples(index=False)]
    if table == "processes":
        # Both are a command line for a shell, with other quotes.
        place = columns.index("command")
        for row in values:
            row[place] = shlex.split(row[place])
        for row in rows:
            # Escaped for a terminal, too.
            row[place] = shlex.split(row[place].replace("\\t", "\t"))
    assert values == rows
    return len(rows)


# The histograms of the documentation's samples are none that Weir would write.
@pytest.mark.filterwarnings("ignore:.* histograms cannot be read")
@pytest.mark.parametrize("table", TABLES)
def test_tables_are_those_of_the_export(all_reports, table):
    rows = [compare(path, table, getattr(weir_report.load(path), table)()) for path in all_reports]
    assert sum(rows) > 0


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_a_process_are_those_of_the_export(tree, table):
    report = weir_report.load(tree)
    pids = report.processes()["pid"].unique()
    assert len(pids) >= 3
    rows = {pid: compare(tree, table, getattr(report, table)(int(pid)), "--process", str(pid)) for pid in pids}
    assert sum(rows.values()) > 0
    if table not in ("processes", "threads"):
        each = getattr(report, table)("each")
        assert each.groupby("pid").size().to_dict() == {pid: count for pid, count in rows.items() if count}
        # The python, the sh and the ls of one process.
        if table != "errors":
            assert each["image"].max() == 3


def test_what_a_report_says_that_it_does_not_know_is_missing(tmp_path, tree):
    report = json.loads(tree.read_text())
    latency = report["functions"]["read"]["latency"]
    latency["dropped"] = latency["timed"]
    report["processes"][0]["heap"]["not_known"] = "the test says so"
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    for table in TABLES:
        assert compare(path, table, getattr(weir_report.load(path), table)()) > 0
    found = weir_report.load(path)
    row = found.functions().set_index("function").loc["read"]
    assert pd.isna(row["p50_ns"]) and row["max_ns"] > 0
    first = report["processes"][0]["pid"]
    points = found.timeline(first)
    assert points[points["image"] == 1]["live_bytes"].isna().all()
    assert pd.isna(found.processes(first)["peak_bytes"].iloc[0])


@pytest.mark.filterwarnings("ignore:.* histograms cannot be read")
def test_what_is_not_known_is_missing_and_what_is_empty_is_not(all_reports):
    for path in all_reports:
        for table in TABLES:
            text = weir("export", "--format", "ndjson", "--table", table, str(path), folder=path.parent)
            rows = [json.loads(line) for line in text.splitlines()]
            found = getattr(weir_report.load(path), table)()
            missing = [[row[column] is None for column in found.columns] for row in rows]
            assert found.isna().to_numpy().tolist() == missing


def test_numbers_that_are_no_double_are_exact(shop):
    report = weir_report.load(shop)
    function = report.json["functions"]["malloc"]
    function["requested_bytes"], function["moved_bytes"] = 2**53 + 1, 2**64 - 1
    row = report.functions().set_index("function").loc["malloc"]
    assert row["requested_bytes"] == 2**53 + 1
    assert row["moved_bytes"] == 2**63 - 1


def test_empty_tables_have_their_columns_and_types(shop):
    report = weir_report.load(shop)
    full = {name: getattr(report, name)() for name in [*TABLES, "sites", "stacks", "timeline", "latency_over_time"]}
    report.json.update(functions={}, files={**report.json["files"], "listed": [], "folded": 0})
    report.json["processes"] = []
    for name, table in full.items():
        empty = getattr(report, name)()
        assert empty.dtypes.to_dict() == table.dtypes.to_dict()


@pytest.mark.parametrize("part", ["all", "wait", "transfer"])
def test_parts_have_their_own_histograms(parts, part):
    latency = weir_report.load(parts).latency()
    assert (latency["part"] == part).any()


def test_percentiles_are_those_of_the_report(real_reports):
    compared = 0
    for path in real_reports:
        report = weir_report.load(path)
        latency = report.latency()
        for row in report.functions().dropna(subset=["p50_ns"]).itertuples():
            of_function = latency[(latency["function"] == row.function) & (latency["part"] == "all")]
            for quantile, expected in [(0.5, row.p50_ns), (0.9, row.p90_ns), (0.99, row.p99_ns), (0.999, row.p99_9_ns)]:
                assert min(weir_report.percentile(of_function, quantile), row.max_ns) == expected
                compared += 1
    assert compared > 200


def folded(path, *options):
    """What `weir export` writes for flame graphs: stacks with what was called, and a sum."""
    lines = weir("export", "--format", "folded", "--native", *options, str(path), folder=path.parent).splitlines()
    sums = Counter()
    for line in lines:
        stack, number = line.rsplit(" ", 1)
        sums[stack] += int(number)
    return sums


@pytest.mark.parametrize(
    ("options", "column"),
    [
        (["--metric", "live"], "live_bytes"),
        (["--metric", "peak"], "live_bytes_at_peak"),
        (["--metric", "temporary"], "temporary_blocks"),
        (["--of", "io", "--metric", "calls"], "calls"),
        (["--of", "io", "--metric", "time"], "time_ns"),
        (["--of", "io", "--metric", "moved"], "moved_bytes"),
        (["--of", "allocation", "--metric", "calls"], "calls"),
        (["--of", "allocation", "--metric", "bytes"], "requested_bytes"),
    ],
)
def test_call_sites_are_those_of_flame_graphs(shop, options, column):
    report = weir_report.load(shop)
    found = report.sites()
    families = found["function"].map(report.functions().set_index("function")["family"])
    # stdio in memory, and what waits, are groups of their own.
    found = found[families.isin(["file", "descriptor", "metadata", "stdio_system"] if "io" in options else ["alloc"])]
    sums = Counter()
    for row in found.to_dict("records"):
        if not pd.isna(row[column]) and row[column] > 0:
            sums[";".join(filter(None, [row["stack"], row["function"]]))] += row[column]
    expected = folded(shop, *options)
    assert sums == expected and expected


def test_stacks_have_the_functions_of_the_sites(shop, tree):
    for path in (shop, tree):
        report = weir_report.load(path)
        sites, stacks = report.sites(), report.stacks()
        key = ["pid", "image", "site"]
        joined = stacks.sort_values([*key, "depth"], ascending=False).groupby(key, sort=False)["caller"].agg(";".join)
        expected = sites[sites["frames"] > 0].set_index(key)["stack"]
        assert joined.sort_index().to_dict() == expected.sort_index().to_dict()
        frames = stacks[stacks["inlined"] == 0].groupby(key).size()
        assert frames.to_dict() == sites[sites["frames"] > 0].set_index(key)["frames"].to_dict()


def test_sites_have_names_and_lines(shop):
    sites = weir_report.load(shop).sites()
    leak = sites[sites["stack"].str.contains(";remember;")]
    assert (leak["live_blocks"].sum(), leak["function"].unique().tolist()) == (1000, ["malloc"])
    source = (ROOT / "examples/shop/shop.c").read_text().splitlines()
    own = sites[sites["caller"].isin(["enter", "next_letter", "page_of", "width_of"])]
    assert len(own) >= 4
    for site in own.itertuples():
        assert site.file.endswith("/shop.c")
        assert f"{site.function}(" in source[site.line - 1]


def test_python_has_its_own_functions(tree):
    sites = weir_report.load(tree).sites()
    assert sites["stack"].str.contains("work").any()


def test_samples_say_so(sampled, shop):
    sites = weir_report.load(sampled).sites()
    of_heap = sites["live_bytes"].notna()
    assert (sites[of_heap]["sampled_bytes"] > 0).all() and of_heap.any()
    assert sites[~of_heap]["sampled_bytes"].isna().all()
    assert weir_report.load(shop).sites()["sampled_bytes"].isna().all()


def test_the_timeline_is_that_of_chrome_s_trace(tree):
    report = weir_report.load(tree)
    trace = json.loads(weir("export", "--format", "chrome-trace", str(tree), folder=tree.parent))
    events = trace["traceEvents"] if isinstance(trace, dict) else trace
    expected = sorted(
        (event["pid"], round(event["ts"] * 1000), value)
        for event in events
        if event["ph"] == "C" and event["name"] == "live heap"
        for value in event["args"].values()
    )
    points = report.timeline()
    since = points["unix_ns"] - report.json["started_unix_ns"]
    found = sorted(zip(points["pid"], since, points["live_bytes"]))
    assert found == expected and len(found) > 10
    assert points["resident_bytes"].max() > 1 << 20


def test_latencies_over_time_add_up_to_the_histograms(tree):
    report = weir_report.load(tree)
    grid, latency = report.latency_over_time(), report.latency("each")
    # Of the others, not every call is timed.
    functions = report.functions("each")
    functions = functions[~functions["family"].isin(["alloc", "stdio"])]
    latency = latency[(latency["part"] == "all") & latency["function"].isin(functions["function"])]
    assert grid.groupby(["pid", "image"])["calls"].sum().to_dict() == latency.groupby(["pid", "image"])["calls"].sum().to_dict()
    assert ((grid["from_ns"] < grid["to_ns"]) & (grid["at_ns"] < grid["until_ns"])).all()
    longest = functions.groupby(["pid", "image"])["max_ns"].max()
    longest = longest.reindex(grid.set_index(["pid", "image"]).index.unique())
    highest = grid.groupby(["pid", "image"])[["from_ns", "to_ns"]].max().reindex(longest.index)
    assert ((highest["from_ns"] <= longest * 1.01) & (longest * 0.99 < highest["to_ns"])).all()


def test_classes_of_latency_over_time_are_half_octaves():
    assert timeline.edge(0) == 0
    for row in range(1, 129):
        first = timeline.edge(row)
        assert (first - 1) ** 2 < 2**row <= first**2
