//! `weir export --format otlp-json`, as OpenTelemetry's own messages read it.

use std::fs;

use serde_json::json;
use weir_report::model::Report;

use super::run::Place;
use super::{python, read_json, sample, success, weir};

/// A place with a report.
fn place(report: &Report) -> Place {
    let place = Place::new();
    let json = serde_json::to_vec(report).expect("JSON");
    fs::write(place.file("report.json"), json).expect("written");
    place
}

/// Exports the report, and compares it with what was recorded.
fn compare(place: &Place, options: &[&str]) {
    let arguments = ["export", "report.json", "-f", "otlp-json", "-o", "metrics"];
    let output = place.settle(weir(arguments.iter().chain(options))).output();
    let output = output.expect("ended");
    assert_eq!(success(&output), "", "{options:?}");
    let mut recorded = read_json(&place.file("report.json"));
    if let ["--process", pid] = options {
        recorded["of_process"] = json!(pid.parse::<u32>().expect("a number"));
    }
    fs::write(place.file("recorded.json"), recorded.to_string()).expect("written");
    python::with_readers(
        "otlp.py",
        place.path(),
        &["metrics".as_ref(), "recorded.json".as_ref()],
    );
}

#[test]
fn opentelemetry_reads_the_totals() {
    let mut report = sample::report();
    // More calls failed than an errno tells of.
    let openat = report.functions.get_mut("openat").expect("a function");
    openat.errors += 5;
    compare(&place(&report), &[]);
}

#[test]
fn opentelemetry_has_the_recorded_histograms() {
    let place = Place::new();
    let script = "dd if=/dev/zero of=out bs=1 count=3000 status=none; cat missing; sleep 0.05";
    let options = ["--time", "all"];
    let output = place.run(&options, &["sh", "-c", script]).output();
    output.expect("ended");
    assert!(
        place.report().functions["write"]
            .latency
            .as_ref()
            .is_some_and(|of| of.timed >= 3000)
    );
    compare(&place, &[]);
}

#[test]
fn a_histogram_that_lacks_calls_has_no_sum() {
    let place = Place::new();
    let dd = ["dd", "if=/dev/zero", "of=out", "bs=1", "count=300"];
    place.run(&["--time", "all"], &dd).output().expect("ended");
    let mut report = place.report();
    for name in ["read", "write"] {
        let function = report.functions.get_mut(name).expect("a function");
        let latency = function.latency.as_mut().expect("timed calls");
        latency.timed += 7;
        latency.dropped += 7;
    }
    let json = serde_json::to_vec(&report).expect("JSON");
    fs::write(place.file("report.json"), json).expect("written");
    compare(&place, &[]);
}

#[test]
fn the_programs_of_a_process_are_resources() {
    let mut report = sample::report();
    let pid = report.processes[1].pid;
    report.processes[2].pid = pid;
    report.processes[1].title = Some("shop: open".to_owned());
    compare(&place(&report), &["--process", &pid.to_string()]);
}

#[test]
fn several_runs_have_a_time_and_no_process_id() {
    let place = Place::new();
    for name in ["one.json", "other.json"] {
        place.run(&[], &["true"]).output().expect("ended");
        fs::rename(place.file("report.json"), place.file(name)).expect("a report");
    }
    let merge = ["merge", "-o", "report.json", "one.json", "other.json"];
    let output = place.settle(weir(merge)).output().expect("ended");
    assert!(output.status.success());
    compare(&place, &[]);
}
