//! `weir export` of tables and totals, as readers read them that are not ours: Python's csv and json, and Prometheus's parser.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{refusal, sample, success, text, weir};

fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mut report = sample::report();
    // What a table must keep apart, and OpenMetrics must escape.
    report.files.listed[0].name = "a,\"b\"\nc\\d".to_owned();
    // More calls failed than an errno tells of.
    let openat = report.functions.get_mut("openat");
    openat.expect("a function").errors += 5;
    report.processes[0].title = Some("shop: \"open\"".to_owned());
    let json = serde_json::to_vec(&report).expect("JSON");
    fs::write(directory.path().join("report.json"), json).expect("written");
    directory
}

fn export(place: &Path, arguments: &[&str]) {
    let arguments = [&["export", "report.json"], arguments].concat();
    let output = weir(&arguments).current_dir(place).output().expect("ended");
    assert_eq!(success(&output), "", "{arguments:?}");
}

/// Runs a script that fails where something is not as it should be.
fn python(place: &Path, script: &str) {
    let mut python3 = Command::new("/usr/bin/python3");
    let read = python3.args(["-c", script]).current_dir(place).output();
    let read = read.expect("python3 started");
    assert!(read.status.success(), "{}", text(&read.stderr));
}

#[test]
fn tables_have_the_report_s_numbers() {
    let place = place();
    let place = place.path();
    for table in [
        "functions",
        "errors",
        "latency",
        "files",
        "processes",
        "threads",
    ] {
        let of = |format: &str| format!("{table}.{format}");
        export(place, &["-f", "csv", "--table", table, "-o", &of("csv")]);
        export(
            place,
            &["-f", "ndjson", "--table", table, "-o", &of("ndjson")],
        );
    }
    python(
        place,
        r#"
import csv, json
report = json.load(open("report.json"))
def table(name):
    rows = list(csv.DictReader(open(name + ".csv", newline="")))
    lines = [json.loads(line) for line in open(name + ".ndjson")]
    assert len(rows) == len(lines), name
    for row, line in zip(rows, lines):
        assert row.keys() == line.keys(), name
        for column in row:
            value = line[column]
            text = {True: "true", False: "false"}[value] if isinstance(value, bool) else "" if value is None else str(value)
            assert row[column] == text, (name, column, row[column], value)
    return lines

functions = {row["function"]: row for row in table("functions")}
called = {name: of for name, of in report["functions"].items() if of["calls"]}
assert functions.keys() == called.keys()
for name, of in called.items():
    row, latency = functions[name], of.get("latency") or {}
    for column in ("family", "calls", "errors", "requested_bytes", "moved_bytes", "reentrant"):
        assert row[column] == of[column], (name, column)
    assert row["dropped"] == (latency.get("dropped", 0) if latency else None), name
    for column in ("timed", "total_ns", "min_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"):
        assert row[column] == latency.get(column), (name, column)
    assert row["estimated_total_ns"] == (of.get("estimated") or {}).get("total_ns")

rows = table("errors")
errors = {(row["function"], row["errno"]): row["calls"] for row in rows if row["errno"]}
for name, of in called.items():
    assert sum(row["calls"] for row in rows if row["function"] == name) == of["errors"], name
assert errors == {(name, errno): calls for name, of in called.items() for errno, calls in of.get("errors_by_errno", {}).items()}

# The sample's histograms are none.
assert table("latency") == []

files = table("files")
listed = report["files"]["listed"] + [report["files"]["others"]]
assert len(files) == len(listed)
for row, of in zip(files, listed):
    for column in row.keys() - {"pid", "image"}:
        assert row[column] == of.get(column, 0), (column, row)
assert files[0]["name"] == "a,\"b\"\nc\\d"

processes = table("processes")
assert [row["pid"] for row in processes] == [of["pid"] for of in report["processes"]]
for row, of in zip(processes, report["processes"]):
    assert row["calls"] == sum(function["calls"] for function in of["functions"].values())
    assert row["title"] == of.get("title")
    heap = of["heap"]
    for column in ("live_bytes", "live_blocks", "peak_bytes"):
        assert row[column] == (None if "not_known" in heap else heap[column]), (column, row)
threads = table("threads")
assert len(threads) == sum(len(of["threads"]) for of in report["processes"])
"#,
    );
}

#[test]
fn the_histogram_s_rows_are_its_calls() {
    let place = tempfile::tempdir().expect("a directory");
    let place = place.path();
    let mut dd = weir([
        "run",
        "--quiet",
        "--time",
        "all",
        "--out",
        "report.json",
        "--",
    ]);
    dd.args([
        "dd",
        "if=/dev/zero",
        "of=out",
        "bs=1",
        "count=3000",
        "status=none",
    ]);
    assert!(dd.current_dir(place).status().expect("ended").success());
    export(place, &["-f", "ndjson", "--table", "latency", "-o", "rows"]);
    python(
        place,
        r#"
import json
report = json.load(open("report.json"))
rows = [json.loads(line) for line in open("rows")]
for name, of in report["functions"].items():
    latency = of.get("latency")
    if not latency:
        continue
    assert all(row["from_ns"] < row["to_ns"] and row["calls"] > 0 for row in rows)
    own = [row for row in rows if row["function"] == name and row["part"] == "all"]
    calls = sum(row["calls"] for row in own)
    assert calls == latency["timed"] - latency.get("dropped", 0), name
    assert own[0]["from_ns"] <= latency["min_ns"] < own[0]["to_ns"], name
    assert own[-1]["from_ns"] <= latency["max_ns"], name
    half, below = (calls + 1) // 2, 0
    for row in own:
        below += row["calls"]
        if below >= half:
            break
    assert row["from_ns"] <= latency["p50_ns"] < row["to_ns"], (name, row, latency["p50_ns"])
assert sum(row["calls"] for row in rows if row["function"] == "write") == 3000
"#,
    );
}

#[test]
fn prometheus_reads_the_totals() {
    let place = place();
    let place = place.path();
    export(place, &["-f", "openmetrics", "-o", "metrics"]);
    python(
        place,
        r#"
import json
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
report = json.load(open("report.json"))
found = {}
for family in families(open("metrics").read()):
    for sample in family.samples:
        found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
def value(name, **labels):
    return found.pop((name, tuple(sorted(labels.items()))))
assert value("weir_duration_seconds") == report["duration_ns"] / 1e9
assert value("weir_processes") == len(report["processes"])
assert value("weir_uncounted_calls_total") == report["missed"]["uncounted_calls"]
for number in ("live_bytes", "live_blocks", "peak_bytes"):
    if "not_known" not in report["heap"]:
        assert value("weir_heap_" + number) == report["heap"][number]
for name, of in report["functions"].items():
    if not of["calls"]:
        continue
    for number in ("calls", "requested_bytes", "moved_bytes"):
        assert value("weir_function_" + number + "_total", function=name) == of[number]
    for errno, calls in of.get("errors_by_errno", {}).items():
        assert value("weir_function_errors_total", function=name, errno=errno) == calls
    others = of["errors"] - sum(of.get("errors_by_errno", {}).values())
    if others:
        assert value("weir_function_errors_total", function=name) == others
    latency = of.get("latency")
    if latency:
        assert value("weir_function_seconds_count", function=name) == latency["timed"]
        assert value("weir_function_seconds_sum", function=name) == latency["total_ns"] / 1e9
        for quantile, field in (("0.5", "p50_ns"), ("0.9", "p90_ns"), ("0.99", "p99_ns"), ("0.999", "p99_9_ns")):
            assert value("weir_function_seconds", function=name, quantile=quantile) == latency[field] / 1e9
for name, of in report["activities"].items():
    assert value("weir_activity_calls_total", activity=name) == of["calls"]
    assert value("weir_activity_seconds_total", activity=name) == of["total_ns"] / 1e9
for kind, of in report["files"]["kinds"].items():
    for number in ("reads", "writes", "other_calls", "read_bytes", "written_bytes"):
        assert value("weir_kind_" + number + "_total", kind=kind) == of[number]
    for number in ("read", "write", "other"):
        assert value("weir_kind_" + number + "_seconds_total", kind=kind) == of[number + "_ns"] / 1e9
assert not found, found
"#,
    );
}

#[test]
fn a_trace_has_each_slow_call_at_its_time_and_its_counters_add_up() {
    let place = place();
    let place = place.path();
    export(place, &["-f", "chrome-trace", "-o", "trace.json"]);
    python(
        place,
        r#"
import json
report = json.load(open("report.json"))
trace = json.load(open("trace.json"))
events = trace["traceEvents"]
slices = [event for event in events if event["ph"] == "X"]
for event in events:
    assert event["ph"] in "MXC" and isinstance(event["pid"], int) and event["name"], event
    if event["ph"] != "M":
        assert event["ts"] >= 0, event
start = min(of["started_unix_ns"] for of in report["processes"])
expected = []
for of in report["processes"]:
    offset = of["started_unix_ns"] - start
    for call in of["slowest"] + of.get("longest_waits", []):
        expected.append((of["pid"], call["tid"], call["function"], (offset + call["at_ns"]) / 1000, call["took_ns"] / 1000))
    expected.append((of["pid"], of["pid"], of["executable"].rsplit("/")[-1], offset / 1000, of["duration_ns"] / 1000))
    for call in of.get("in_flight", []):
        if "age_ns" in call:
            expected.append((of["pid"], call["tid"], call["function"], (offset + call["at_ns"]) / 1000, call["age_ns"] / 1000))
found = [(event["pid"], event["tid"], event["name"], event["ts"], event["dur"]) for event in slices]
looks = [call.get("looks") for of in report["processes"] for call in of["slowest"] + of.get("longest_waits", []) + of.get("in_flight", [])]
told = [event["args"].get("looks") for event in slices if event["cat"] != "image"]
assert sorted(map(str, told)) == sorted(map(str, looks)), (told, looks)
assert sorted(found) == sorted(expected), (sorted(found), sorted(expected))
# Of two slices of a thread, one holds the other, or they do not touch.
threads = {}
for event in slices:
    threads.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
for spans in threads.values():
    for a in spans:
        for b in spans:
            assert a[1] <= b[0] or b[1] <= a[0] or a[0] <= b[0] and b[1] <= a[1] or b[0] <= a[0] and a[1] <= b[1], (a, b)
# What a counter of a process has for each second comes to what the last point has.
for of in report["processes"]:
    points = of["timeline"]["points"]
    if len(points) < 2:
        continue
    for name, unit, field in (("allocated", "bytes/s", "alloc_bytes"), ("read", "bytes/s", "read_bytes"), ("I/O calls", "calls/s", "io_calls")):
        values = [(event["ts"], event["args"][unit]) for event in events if event["ph"] == "C" and event["name"] == name and event["pid"] == of["pid"]]
        assert len(values) == len(points)
        total = sum((later[0] - value[0]) / 1e6 * value[1] for value, later in zip(values, values[1:]))
        grown = points[-1][field] - points[0][field]
        assert abs(total - grown) <= 1e-6 * grown + 1, (name, total, grown)
    live = [event["args"]["bytes"] for event in events if event["ph"] == "C" and event["name"] == "live heap" and event["pid"] == of["pid"]]
    assert live == [point["live_bytes"] for point in points]
programs = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
assert programs == {of["pid"]: of.get("title", of["executable"].rsplit("/")[-1]) for of in report["processes"]}
names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}
for of in report["processes"]:
    for thread in of["threads"]:
        if thread["tid"]:
            assert names[of["pid"], thread["tid"]] == thread["name"]
"#,
    );
}

#[test]
fn bencher_gets_the_totals_by_benchmark_and_measure() {
    let place = place();
    let place = place.path();
    export(place, &["-f", "bmf", "-o", "bmf.json"]);
    python(
        place,
        r#"
import json
report = json.load(open("report.json"))
found = json.load(open("bmf.json"))
for measures in found.values():
    for measure in measures.values():
        assert set(measure) <= {"value", "lower_value", "upper_value"}, measure
        assert measure.get("lower_value", measure["value"]) <= measure["value"] <= measure.get("upper_value", measure["value"]), measure
whole = found.pop("bash")
called = {name: of for name, of in report["functions"].items() if of["calls"]}
assert whole["latency"]["value"] == report["duration_ns"]
assert whole["calls"]["value"] == sum(of["calls"] for of in called.values())
assert whole["failed-calls"]["value"] == sum(of["errors"] for of in called.values())
if "not_known" not in report["heap"]:
    assert whole["heap-peak-bytes"]["value"] == report["heap"]["peak_bytes"]
    assert whole["live-bytes"]["value"] == report["heap"]["live_bytes"]
for name, of in called.items():
    own = found.pop("bash/" + name)
    assert own["calls"]["value"] == of["calls"]
    if "latency" in of:
        assert own["latency"]["value"] == of["latency"]["mean_ns"]
        assert own["latency-p50"]["value"] == of["latency"]["p50_ns"]
        assert own["latency-p99"]["value"] == of["latency"]["p99_ns"]
assert not found, found
"#,
    );
}

#[test]
fn a_process_alone_has_its_own_rows() {
    let place = place();
    let place = place.path();
    let pid = sample::report().processes[1].pid.to_string();
    export(place, &["-f", "csv", "--process", &pid, "-o", "rows"]);
    let rows = fs::read_to_string(place.join("rows")).expect("rows");
    let mut lines = rows.lines().skip(1).peekable();
    assert!(lines.peek().is_some());
    for line in lines {
        assert!(line.starts_with(&format!("{pid},1,")), "{line}");
    }
}

#[test]
fn a_file_that_is_written_again_keeps_its_rights_and_its_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = place();
    let place = place.path();
    let rights = |name: &str| {
        fs::metadata(place.join(name))
            .expect("a file")
            .permissions()
            .mode()
            & 0o777
    };
    export(place, &["-f", "csv", "-o", "rows"]);
    assert_eq!(rights("rows") & 0o600, 0o600);
    fs::set_permissions(place.join("rows"), fs::Permissions::from_mode(0o606)).expect("set");
    symlink("rows", place.join("link")).expect("made");
    export(place, &["-f", "csv", "--table", "errors", "-o", "link"]);
    assert_eq!(rights("rows"), 0o606);
    assert!(place.join("link").is_symlink());
    let rows = fs::read_to_string(place.join("rows")).expect("rows");
    assert!(rows.starts_with("pid,image,function,errno,calls"), "{rows}");
    let script = "\"$0\" export report.json -f csv -o /dev/fd/3 3> by-number";
    let mut sh = Command::new("sh");
    sh.args(["-c", script, env!("CARGO_BIN_EXE_weir")])
        .current_dir(place);
    assert!(sh.status().expect("started").success());
    assert!(
        fs::read_to_string(place.join("by-number"))
            .expect("rows")
            .starts_with("pid,image,function,family")
    );
}

#[test]
fn options_of_other_formats_are_refused() {
    let place = place();
    let refusals = [
        (
            &["-f", "csv", "--of", "io"][..],
            "--of is for the formats of call sites",
        ),
        (
            &["-f", "openmetrics", "--focus", "x"],
            "--focus is for the formats of call sites",
        ),
        (
            &["-f", "openmetrics", "--table", "files"],
            "--table is for the formats csv and ndjson",
        ),
        (
            &["-f", "otlp-json", "--metric", "bytes"],
            "--metric is for the formats of call sites",
        ),
        (
            &["-f", "folded", "--table", "files"],
            "--table is for the formats csv and ndjson",
        ),
        (&["-f", "csv", "--table", "sites"], "sites"),
    ];
    for (arguments, reason) in refusals {
        let arguments = [&["export", "report.json"], arguments].concat();
        let output = weir(&arguments)
            .current_dir(&place)
            .output()
            .expect("ended");
        let (code, line) = refusal(&output);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(line.contains(reason), "{arguments:?}: {line}");
    }
}
