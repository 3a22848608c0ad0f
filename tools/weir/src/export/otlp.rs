//! The totals of a report as metrics of OpenTelemetry, in the JSON form of its protocol (OTLP): an `ExportMetricsServiceRequest`.
//!
//! JSON as protobuf maps it: integers of 64 bits are text, enumerations are numbers. Counts are cumulative sums from the start of the
//! recording to its end. Latencies are histograms with explicit bounds, those of the recorded classes: exponential histograms have
//! bounds that divide these classes.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>,
//! <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>

use serde_json::{Value, json};
use weir_report::Ordered;
use weir_report::calendar::Utc;
use weir_report::model::Latency;

use super::metrics::{self, Labels, Metric, Points, Quantity};
use crate::report::Subject;
use crate::text;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;

/// Several programs of one process are several resources.
pub fn value(weir_version: &str, subjects: &[Subject<'_>]) -> Value {
    let resource = |subject: &Subject<'_>| {
        let span = Span::of(subject);
        let timed = metrics::of_timed_calls(subject);
        let metrics = metrics::of(subject).into_iter().chain(timed);
        let metrics = metrics.filter_map(|metric| span.metric(&metric));
        json!({
            "resource": { "attributes": attributes_of_process(subject) },
            "scopeMetrics": [{
                "scope": { "name": "weir", "version": weir_version },
                "metrics": metrics.collect::<Vec<Value>>(),
            }],
        })
    };
    json!({ "resourceMetrics": subjects.iter().map(resource).collect::<Vec<Value>>() })
}

/// The first process of the recording, by OpenTelemetry's names. What differs from run to run is not there for several runs.
fn attributes_of_process(subject: &Subject<'_>) -> Vec<Value> {
    let first = subject.processes.first();
    let executable = first.map_or("", |process| process.executable.as_str());
    let mut attributes = Vec::new();
    let mut add = |key: &str, value: Value| attributes.push(json!({ "key": key, "value": value }));
    let service = match text::file_name(executable) {
        "" => "unknown_service",
        name => name,
    };
    add("service.name", of_text(service));
    if !executable.is_empty() {
        add("process.executable.name", of_text(service));
        add("process.executable.path", of_text(executable));
    }
    if let Some(command) = subject.command.first() {
        let arguments: Vec<Value> = subject.command.iter().map(|one| of_text(one)).collect();
        add("process.command", of_text(command));
        add(
            "process.command_args",
            json!({ "arrayValue": { "values": arguments } }),
        );
    }
    let of_one_run = first.filter(|process| subject.runs == 1 && process.folded.is_none());
    if let Some(process) = of_one_run {
        let created = Utc::of_unix_ns(process.started_unix_ns).to_string();
        add("process.pid", of_integer(process.pid));
        if let Some(title) = &process.title {
            add("process.title", of_text(title));
        }
        add("process.parent_pid", of_integer(process.parent_pid));
        add("process.creation.time", of_text(&created));
        if let Some(status) = subject.end.status {
            add("process.exit.code", of_integer(status));
        }
    }
    attributes
}

/// The time that the numbers are of, in nanoseconds since the Unix epoch, as text.
struct Span {
    from: String,
    to: String,
}

impl Span {
    fn of(subject: &Subject<'_>) -> Span {
        let end = |from: u64, duration_ns: u64| from.saturating_add(duration_ns);
        let from = subject.started_unix_ns;
        let to = match subject.runs {
            1 => end(from, subject.duration_ns),
            // Of several runs, the duration is a sum.
            _ => {
                let processes = subject.processes.iter();
                let ends = processes.map(|of| end(of.started_unix_ns, of.duration_ns));
                ends.fold(from, u64::max)
            }
        };
        Span {
            from: from.to_string(),
            to: to.to_string(),
        }
    }

    /// None without values.
    fn metric(&self, metric: &Metric<'_>) -> Option<Value> {
        let (unit, kind, data) = match &metric.points {
            Points::Gauge(quantity, value) => {
                let mut point = number(*value, *quantity);
                point["timeUnixNano"] = json!(self.to);
                (unit(*quantity), "gauge", json!({ "dataPoints": [point] }))
            }
            Points::Counters(_, points) if points.is_empty() => return None,
            Points::Counters(quantity, points) => {
                let point = |(labels, value): &(Labels<'_>, u64)| {
                    self.point(labels, number((*value).into(), *quantity))
                };
                let data = json!({
                    "dataPoints": points.iter().map(point).collect::<Vec<Value>>(),
                    "aggregationTemporality": CUMULATIVE,
                    "isMonotonic": true,
                });
                (unit(*quantity), "sum", data)
            }
            Points::Latencies(points) if points.is_empty() => return None,
            Points::Latencies(points) => {
                let point = |(labels, latency): &(Labels<'_>, &Latency)| {
                    self.point(labels, histogram(latency))
                };
                let data = json!({
                    "dataPoints": points.iter().map(point).collect::<Vec<Value>>(),
                    "aggregationTemporality": CUMULATIVE,
                });
                (unit(Quantity::Time), "histogram", data)
            }
        };
        Some(json!({
            "name": metric.name,
            "description": metric.help,
            "unit": unit,
            kind: data,
        }))
    }

    /// A point of numbers that were summed over the time.
    fn point(&self, labels: &Labels<'_>, mut point: Value) -> Value {
        let attributes = labels
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": of_text(value) }));
        point["attributes"] = attributes.collect();
        point["startTimeUnixNano"] = json!(self.from);
        point["timeUnixNano"] = json!(self.to);
        point
    }
}

/// The classes of a latency's histogram, between bounds in seconds. A bucket has what is above its lower bound, up to and with its
/// upper one; those between classes are empty.
fn histogram(latency: &Latency) -> Value {
    let Some(ordered) = Ordered::of(latency) else {
        return json!({ "count": latency.timed.to_string(), "sum": seconds(latency.total_ns) });
    };
    let mut bounds: Vec<u64> = Vec::new();
    let mut counts: Vec<String> = Vec::new();
    for (between, calls) in ordered.classes() {
        let before = between.start().checked_sub(1);
        if let Some(before) = before.filter(|before| bounds.last() != Some(before)) {
            bounds.push(before);
            counts.push("0".to_owned());
        }
        bounds.push(*between.end());
        counts.push(calls.to_string());
    }
    if !bounds.is_empty() {
        counts.push("0".to_owned());
    }
    let bounds: Vec<Value> = bounds.into_iter().map(seconds).collect();
    let mut histogram = json!({
        "count": ordered.calls().to_string(),
        "bucketCounts": counts,
        "explicitBounds": bounds,
    });
    // A sum must be one of the calls that are counted.
    if latency.dropped == 0 {
        histogram["sum"] = seconds(latency.total_ns);
    }
    if let Some(shortest) = latency.of_histogram(|of| of.min_ns) {
        histogram["min"] = seconds(shortest);
        histogram["max"] = seconds(latency.max_ns);
    }
    histogram
}

fn number(value: i128, quantity: Quantity) -> Value {
    match quantity {
        Quantity::Time => json!({ "asDouble": value as f64 / 1e9 }),
        _ => {
            // What is beyond the format's integers no program did.
            let value = value.clamp(i64::MIN.into(), i64::MAX.into());
            json!({ "asInt": value.to_string() })
        }
    }
}

fn seconds(ns: u64) -> Value {
    json!(ns as f64 / 1e9)
}

/// A unit of UCUM.
fn unit(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Calls => "{call}",
        Quantity::Blocks => "{block}",
        Quantity::Processes => "{process}",
        Quantity::Bytes => "By",
        Quantity::Time => "s",
    }
}

fn of_text(text: &str) -> Value {
    json!({ "stringValue": text })
}

fn of_integer(number: impl ToString) -> Value {
    json!({ "intValue": number.to_string() })
}
