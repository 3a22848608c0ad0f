//! The totals of a report in the text format of OpenMetrics 1.0. Files and call sites are not in it: each name would be a time
//! series of its own.

use weir_report::model::{Function, KindUse, LatencyFigure};

use crate::openmetrics::{Text, in_base_units};
use crate::report::Subject;
use crate::units::Unit;

/// A family of metrics about functions: its name, its help, its unit, and its number.
type OfFunctions = (&'static str, &'static str, fn(&Function) -> u64);

const OF_FUNCTIONS: [OfFunctions; 3] = [
    ("weir_function_calls", "Calls of a function.", |of| of.calls),
    (
        "weir_function_requested_bytes",
        "Bytes that calls of a function asked for.",
        |of| of.requested_bytes,
    ),
    (
        "weir_function_moved_bytes",
        "Bytes that calls of a function moved.",
        |of| of.moved_bytes,
    ),
];

/// The same about kinds of files and sockets.
type OfKinds = (&'static str, &'static str, Unit, fn(&KindUse) -> u64);

const OF_KINDS: [OfKinds; 8] = [
    (
        "weir_kind_reads",
        "Reads, by kind of file or socket.",
        Unit::Count,
        |of| of.reads,
    ),
    (
        "weir_kind_writes",
        "Writes, by kind of file or socket.",
        Unit::Count,
        |of| of.writes,
    ),
    (
        "weir_kind_other_calls",
        "Other calls, by kind of file or socket.",
        Unit::Count,
        |of| of.other_calls,
    ),
    (
        "weir_kind_read_bytes",
        "Bytes read, by kind of file or socket.",
        Unit::Bytes,
        |of| of.read_bytes,
    ),
    (
        "weir_kind_written_bytes",
        "Bytes written, by kind of file or socket.",
        Unit::Bytes,
        |of| of.written_bytes,
    ),
    (
        "weir_kind_read_seconds",
        "Time of reads, by kind of file or socket.",
        Unit::Time,
        |of| of.read_ns,
    ),
    (
        "weir_kind_write_seconds",
        "Time of writes, by kind of file or socket.",
        Unit::Time,
        |of| of.write_ns,
    ),
    (
        "weir_kind_other_seconds",
        "Time of other calls, by kind of file or socket.",
        Unit::Time,
        |of| of.other_ns,
    ),
];

/// The text.
pub fn text(subject: &Subject<'_>) -> String {
    let mut text = Text::default();
    let seconds = |ns: u64| in_base_units(ns.into(), Unit::Time);
    let mut gauge = |name: &str, help: &str, value: String| {
        text.family(name, "gauge", help);
        text.sample(name, &[], &value);
    };
    gauge(
        "weir_duration_seconds",
        "How long the program ran; several runs together.",
        seconds(subject.duration_ns),
    );
    gauge(
        "weir_processes",
        "How many processes there were.",
        subject.count().to_string(),
    );
    gauge(
        "weir_uncounted_calls",
        "Calls that were not counted.",
        subject.missed.uncounted_calls.to_string(),
    );
    if subject.heap.not_known.is_none() {
        let heap = subject.heap;
        gauge(
            "weir_heap_live_bytes",
            "Live bytes at the end.",
            heap.live_bytes.to_string(),
        );
        gauge(
            "weir_heap_live_blocks",
            "Live blocks at the end.",
            heap.live_blocks.to_string(),
        );
        gauge(
            "weir_heap_peak_bytes",
            "The largest number of live bytes; the sum of several processes' largest numbers.",
            heap.peak_bytes.to_string(),
        );
    }
    let functions = || subject.functions.iter().filter(|(_, of)| of.calls > 0);
    for (name, help, of) in OF_FUNCTIONS {
        text.family(name, "counter", help);
        for (function, numbers) in functions() {
            text.sample(
                &format!("{name}_total"),
                &[("function", function)],
                &of(numbers).to_string(),
            );
        }
    }
    text.family(
        "weir_function_errors",
        "counter",
        "Calls of a function that failed.",
    );
    for (function, numbers) in functions() {
        for (errno, calls) in &numbers.errors_by_errno {
            let labels = [("function", function.as_str()), ("errno", errno)];
            text.sample("weir_function_errors_total", &labels, &calls.to_string());
        }
    }
    text.family(
        "weir_function_seconds",
        "summary",
        "How long the calls took that were timed.",
    );
    for (function, numbers) in functions() {
        let Some(latency) = &numbers.latency else {
            continue;
        };
        let quantiles: [(&str, LatencyFigure); 4] = [
            ("0.5", |of| of.p50_ns),
            ("0.9", |of| of.p90_ns),
            ("0.99", |of| of.p99_ns),
            ("0.999", |of| of.p99_9_ns),
        ];
        for (quantile, figure) in quantiles {
            let Some(ns) = latency.of_histogram(figure) else {
                continue;
            };
            let labels = [("function", function.as_str()), ("quantile", quantile)];
            text.sample("weir_function_seconds", &labels, &seconds(ns));
        }
        let labels = [("function", function.as_str())];
        text.sample(
            "weir_function_seconds_count",
            &labels,
            &latency.timed.to_string(),
        );
        text.sample(
            "weir_function_seconds_sum",
            &labels,
            &seconds(latency.total_ns),
        );
    }
    text.family(
        "weir_activity_calls",
        "counter",
        "Calls by what they were for.",
    );
    for (activity, of) in subject.activities {
        text.sample(
            "weir_activity_calls_total",
            &[("activity", activity)],
            &of.calls.to_string(),
        );
    }
    text.family(
        "weir_activity_seconds",
        "counter",
        "Time of calls by what they were for.",
    );
    for (activity, of) in subject.activities {
        text.sample(
            "weir_activity_seconds_total",
            &[("activity", activity)],
            &seconds(of.total_ns),
        );
    }
    for (name, help, unit, of) in OF_KINDS {
        text.family(name, "counter", help);
        for (kind, numbers) in &subject.files.kinds {
            let value = in_base_units(of(numbers).into(), unit);
            text.sample(&format!("{name}_total"), &[("kind", kind)], &value);
        }
    }
    text.finish()
}
