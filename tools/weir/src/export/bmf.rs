//! Bencher Metric Format: measures of benchmarks over time, for Bencher.
//!
//! <https://bencher.dev/docs/reference/bencher-metric-format/>

use serde_json::{Map, Value, json};
use weir_report::model::LatencyFigure;

use crate::report::Subject;
use crate::report::measure::CallSums;
use crate::text;

/// The report's totals as measures of the program, and those of each function as measures of `PROGRAM/FUNCTION`. Times are in nanoseconds.
pub fn value(subject: &Subject<'_>) -> Value {
    let program = subject
        .command
        .first()
        .map_or("program", |path| text::file_name(path));
    let totals = CallSums::of(subject.functions);
    let mut whole = Map::new();
    add(&mut whole, "latency", subject.duration_ns);
    add(&mut whole, "calls", totals.calls);
    add(&mut whole, "failed-calls", totals.errors);
    add(&mut whole, "allocating-calls", totals.allocating_calls);
    add(&mut whole, "allocated-bytes", totals.allocated_bytes);
    add(&mut whole, "io-calls", totals.io_calls);
    add(&mut whole, "read-bytes", totals.read_bytes);
    add(&mut whole, "written-bytes", totals.written_bytes);
    if subject.heap.not_known.is_none() {
        let error = subject.heap.peak_error_bytes;
        let peak = subject.heap.peak_bytes;
        let between = (peak.saturating_sub(error), peak.saturating_add(error));
        whole.insert("heap-peak-bytes".to_owned(), between_bounds(peak, between));
        let live = json!({ "value": subject.heap.live_bytes });
        whole.insert("live-bytes".to_owned(), live);
    }
    let mut benchmarks = Map::new();
    benchmarks.insert(program.to_owned(), whole.into());
    for (name, function) in subject.functions.iter().filter(|(_, of)| of.calls > 0) {
        let mut own = Map::new();
        add(&mut own, "calls", function.calls);
        if let Some(latency) = function.latency.as_deref() {
            let shortest = latency.of_histogram(|of| of.min_ns);
            let between = (shortest.unwrap_or(0), latency.max_ns);
            own.insert(
                "latency".to_owned(),
                between_bounds(latency.mean_ns, between),
            );
            let percentiles: [(&str, LatencyFigure); 2] = [
                ("latency-p50", |of| of.p50_ns),
                ("latency-p99", |of| of.p99_ns),
            ];
            for (name, figure) in percentiles {
                if let Some(ns) = latency.of_histogram(figure) {
                    add(&mut own, name, ns);
                }
            }
        }
        benchmarks.insert(format!("{program}/{name}"), own.into());
    }
    benchmarks.into()
}

fn add(measures: &mut Map<String, Value>, name: &str, value: u64) {
    measures.insert(name.to_owned(), json!({ "value": value }));
}

fn between_bounds(value: u64, (lower, upper): (u64, u64)) -> Value {
    json!({ "value": value, "lower_value": lower.min(value), "upper_value": upper.max(value) })
}
