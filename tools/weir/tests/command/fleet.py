"""Reads a data set in the directory `fleet` with three engines, and compares it with the report `sum.json` of the same runs.

The queries are those of docs/fleet.md, which is the first argument. The second says what the data set is of.
"""

import glob
import json
import math
import os
import re
import sys

import chdb.session
import duckdb
import pyarrow.dataset
import pyarrow.parquet

page, data = sys.argv[1:]
with open(page, encoding="utf-8") as file:
    page = file.read()
blocks = [block.split("\n```")[0] for block in page.split("```sql\n-- ")[1:]]
queries = dict(block.split("\n", 1) for block in blocks)
report = json.load(open("sum.json", encoding="utf-8"))
tables = [path.split("/")[1] for path in sorted(glob.glob("fleet/*"))]

duck = duckdb.connect()
duck.execute(queries.pop("DuckDB: views"))
house = chdb.session.Session()
for statement in queries.pop("ClickHouse: views").split(";\n"):
    house.query(statement.rstrip(";"))


def plain(value):
    """A number is a number, however wide its type is."""
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if isinstance(value, float):
        assert math.isfinite(value) and value == int(value), value
        return int(value)
    return value


def both(name):
    """The rows that both engines have for a query, by the names of their columns."""
    text = queries.pop(name).rstrip(";\n")
    cursor = duck.execute(text)
    columns = [column[0] for column in cursor.description]
    one = [dict(zip(columns, map(plain, row))) for row in cursor.fetchall()]
    lines = str(house.query(text, "JSONEachRow")).splitlines()
    other = [{key: plain(value) for key, value in json.loads(line).items()} for line in lines]
    assert one == other, (name, [pair for pair in zip(one, other) if pair[0] != pair[1]][:3], len(one), len(other))
    return one


def sql(text):
    return duck.execute(text).fetchall()


if data == "overlap":
    # The sum is there beside its parts.
    # Each of its rows is found, also those of several images.
    rows = both("overlap")
    whole = next(name for row in rows for name in (row["one_run"], row["another_run"]) if name.count("-") == 2)
    assert sql(f"SELECT COUNT(*), MAX(processes) > 1 FROM process WHERE run = '{whole}'") == [(len(rows), True)], rows
    sys.exit()


def parquet(table):
    return f"read_parquet('fleet/{table}/*/*/*.parquet', hive_partitioning = true)"


functions = {name: of for name, of in report["functions"].items() if of["calls"]}
totals = both("totals")
percentiles = both("percentiles")
leaks = both("leaks")
stack = both("stack")
files = both("files")
regression = both("regression")
missed = both("missed")
assert both("overlap") == []
compact = queries.pop("DuckDB: compact")
assert not queries, queries.keys()

for what in ("dropped_samples", "untimed_calls", "uncounted_calls", "reentrant_calls"):
    assert sum(row["times"] for row in missed if row["what"] == what) == report["missed"][what], what

# pyarrow and pandas read each table, with numbers of 64 bits only.
for table in tables:
    frame = pyarrow.dataset.dataset(f"fleet/{table}", partitioning="hive").to_table()
    own = pyarrow.parquet.read_schema(glob.glob(f"fleet/{table}/*/*/*.parquet")[0])
    assert {str(field.type) for field in own} <= {"int64", "string"}, (table, own)
    assert len(frame.to_pandas()) == sql(f"SELECT COUNT(*) FROM {parquet(table)}")[0][0]
    for path in glob.glob(f"fleet/{table}/*/*/*.parquet"):
        metadata = pyarrow.parquet.read_metadata(path)
        for group in range(metadata.num_row_groups):
            assert metadata.row_group(group).column(0).compression == "ZSTD", path

# The page describes every table with every column.
described = {}
for line in page.splitlines():
    if line.startswith("| `"):
        _, table, _, columns, _ = line.split("|")
        described[table.strip(" `")] = ["run", "pid", "image", *re.findall("`([a-z0-9_]+)`", columns)]
assert sorted(described) == tables, (sorted(described), tables)
for table in tables:
    own = pyarrow.parquet.read_schema(glob.glob(f"fleet/{table}/*/*/*.parquet")[0]).names
    assert set(own) <= set(described[table]), (table, set(own) - set(described[table]))

# In each file functions come in order, and their classes.
for table, order in (("function", ["function"]), ("latency", ["function", "ge_ns"])):
    for path in glob.glob(f"fleet/{table}/*/*/*.parquet"):
        rows = pyarrow.parquet.read_table(path).select(order).to_pylist()
        rows = [tuple(row.values()) for row in rows]
        assert rows == sorted(rows), path

if data == "runs":
    # Every count is that of weir merge.
    assert {row["function"] for row in totals} == functions.keys()
    for row in totals:
        of = functions[row["function"]]
        expected = (of["calls"], of["errors"], of["requested_bytes"], of["moved_bytes"])
        found = (row["all_calls"], row["failed_calls"], row["all_requested_bytes"], row["all_moved_bytes"])
        assert found == expected, (row, expected)
    errors = sql(f"SELECT function, errno, SUM(calls) FROM {parquet('error')} WHERE errno IS NOT NULL GROUP BY ALL")
    listed = {(name, errno, calls) for name, of in functions.items() for errno, calls in of.get("errors_by_errno", {}).items()}
    assert set(errors) == listed
    assert sql("SELECT SUM(processes), COUNT(DISTINCT run) FROM process") == [(sum(of.get("folded", {}).get("processes", 1) for of in report["processes"]), report.get("runs", 1))]
    assert sql("SELECT SUM(live_bytes), SUM(live_blocks), SUM(runs), SUM(duration_ns) FROM run") == [
        (report["heap"]["live_bytes"], report["heap"]["live_blocks"], report.get("runs", 1), report["duration_ns"])
    ]
    sites = [site for process in report["processes"] for site in process.get("stacks", {}).get("sites", [])]
    for number in ("calls", "moved_bytes", "time_ns"):
        assert sql(f"SELECT SUM({number}) FROM site") == [(sum(site[number] for site in sites),)], number
    live = sum(site.get("blocks", {}).get("live_bytes", 0) for site in sites)
    assert sql("SELECT SUM(live_bytes) FROM site") == [(live,)]
    listed = {}
    for of in report["files"]["listed"]:
        if of["name"]:
            listed[of["kind"], of["name"]] = (of["reads"] + of["writes"] + of["other_calls"], of["read_bytes"] + of["written_bytes"])
    for row in files:
        assert listed[row["kind"], row["name"]] == (row["all_calls"], row["all_bytes"]), row

    timed = {name: of["latency"] for name, of in functions.items() if of.get("latency")}
    assert {row["name"] for row in percentiles} == timed.keys()
    for row in percentiles:
        of = timed[row["name"]]
        assert row["timed_calls"] == of["timed"] - of["dropped"], row
        for column in ("p50_ns", "p99_ns", "p99_9_ns", "max_ns"):
            assert row[column] == of[column], (row, of)
    assert sql("SELECT DISTINCT significant_digits FROM latency") == [(2,)]
    # The runs are of both days.
    both_days = {row["function"]: row for row in regression}
    assert both_days["write"]["calls_before"] + both_days["write"]["calls_after"] == timed["write"]["timed"]
    assert leaks == sorted(leaks, key=lambda row: -row["bytes"]) and leaks[0]["bytes"] > 0

    # The stack of the largest leak ends at its outermost frame, and is as deep as the site says.
    assert [row["depth"] for row in stack] == list(range(len(stack))) and len(stack) > 1
    assert sql(f"SELECT MAX(frames) FROM site WHERE stack_hash = {leaks[0]['stack_hash']}") == [(len(stack),)]

    # Few files have what many had.
    os.mkdir("compact")
    for statement in compact.split(";\n"):
        duck.execute(statement)
    for table, rows in (("latency", "SUM(n)"), ("stack", "COUNT(DISTINCT stack_hash)")):
        own = f"read_parquet('compact/{table}/*/*/*.parquet', hive_partitioning = true)"
        assert sql(f"SELECT {rows}, MIN(day) FROM {own}") == sql(f"SELECT {rows}, MIN(day) FROM {table}"), table

    symbols = {(place.get("function"), place.get("file"), place.get("line"))
        for process in report["processes"] for module in process["stacks"]["modules"]
        for name in module.get("names", []) for place in name["places"]}
    assert symbols and set(sql("SELECT DISTINCT function, file, line FROM symbol")) == symbols
    assert any(row["caller"] for row in leaks), leaks

    spreads = [(of["kind"], of["name"], part, of[part]["calls"]) for process in report["processes"]
        for of in process["files"]["listed"] for part in ("wait", "transfer") if part in of]
    found = sql(f"SELECT kind, name, part, SUM(n) FROM {parquet('file_latency')} GROUP BY ALL")
    assert spreads and sum(of[3] for of in found) == sum(of[3] for of in spreads), (found, spreads)
else:
    reasons = {(row["what"], row["name"], row["reason"]) for row in missed}
    assert report["missed"]["untraced"] and report["missed"]["not_interposed"]
    for of in report["missed"]["untraced"]:
        assert ("untraced", of["program"], of["reason"]) in reasons
    for name in report["missed"]["not_interposed"]:
        assert ("not_interposed", name, None) in reasons
    for note in report["missed"]["notes"]:
        assert ("notes", None, note) in reasons
