//! The totals of a report as metrics, for the formats that have such. Files and call sites are not among them: each name would be a
//! time series of its own.

use weir_report::model::{Function, KindUse, Latency};

use crate::report::Subject;

/// What the numbers of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Calls,
    Blocks,
    Processes,
    Bytes,
    /// Nanoseconds. The name of such a metric ends with `seconds`: the formats have base units.
    Time,
}

/// A metric.
pub struct Metric<'a> {
    /// Its levels are separated by dots.
    pub name: &'static str,
    /// A sentence.
    pub help: &'static str,
    pub points: Points<'a>,
}

/// Names of labels with their values.
pub type Labels<'a> = Vec<(&'static str, &'a str)>;

/// The values of a metric.
pub enum Points<'a> {
    /// A number that may rise and fall.
    Gauge(Quantity, i128),
    /// Numbers that only rise.
    Counters(Quantity, Vec<(Labels<'a>, u64)>),
    /// How long timed calls took.
    Latencies(Vec<(Labels<'a>, &'a Latency)>),
}

type OfFunctions = (&'static str, &'static str, Quantity, fn(&Function) -> u64);

const OF_FUNCTIONS: [OfFunctions; 3] = [
    (
        "weir.function.calls",
        "Calls of a function.",
        Quantity::Calls,
        |of| of.calls,
    ),
    (
        "weir.function.requested_bytes",
        "Bytes that calls of a function asked for.",
        Quantity::Bytes,
        |of| of.requested_bytes,
    ),
    (
        "weir.function.moved_bytes",
        "Bytes that calls of a function moved.",
        Quantity::Bytes,
        |of| of.moved_bytes,
    ),
];

type OfKinds = (&'static str, &'static str, Quantity, fn(&KindUse) -> u64);

const OF_KINDS: [OfKinds; 8] = [
    (
        "weir.kind.reads",
        "Reads, by kind of file or socket.",
        Quantity::Calls,
        |of| of.reads,
    ),
    (
        "weir.kind.writes",
        "Writes, by kind of file or socket.",
        Quantity::Calls,
        |of| of.writes,
    ),
    (
        "weir.kind.other_calls",
        "Other calls, by kind of file or socket.",
        Quantity::Calls,
        |of| of.other_calls,
    ),
    (
        "weir.kind.read_bytes",
        "Bytes read, by kind of file or socket.",
        Quantity::Bytes,
        |of| of.read_bytes,
    ),
    (
        "weir.kind.written_bytes",
        "Bytes written, by kind of file or socket.",
        Quantity::Bytes,
        |of| of.written_bytes,
    ),
    (
        "weir.kind.read_seconds",
        "Time of reads, by kind of file or socket.",
        Quantity::Time,
        |of| of.read_ns,
    ),
    (
        "weir.kind.write_seconds",
        "Time of writes, by kind of file or socket.",
        Quantity::Time,
        |of| of.write_ns,
    ),
    (
        "weir.kind.other_seconds",
        "Time of other calls, by kind of file or socket.",
        Quantity::Time,
        |of| of.other_ns,
    ),
];

/// The metrics, those about one thing after the other. A metric may be without values.
pub fn of<'a>(subject: &'a Subject<'_>) -> Vec<Metric<'a>> {
    let mut metrics = of_the_whole(subject);
    metrics.extend(of_functions(subject));
    metrics.extend(of_activities(subject));
    metrics.extend(OF_KINDS.map(|(name, help, quantity, of)| {
        let kinds = subject.files.kinds.iter();
        let points = kinds.map(|(kind, numbers)| (vec![("kind", kind.as_str())], of(numbers)));
        counters(name, help, quantity, points.collect())
    }));
    metrics
}

fn of_the_whole<'a>(subject: &Subject<'_>) -> Vec<Metric<'a>> {
    let gauge = |name, help, quantity, value: i128| Metric {
        name,
        help,
        points: Points::Gauge(quantity, value),
    };
    let mut metrics = vec![
        gauge(
            "weir.duration_seconds",
            "How long the program ran; several runs together.",
            Quantity::Time,
            subject.duration_ns.into(),
        ),
        gauge(
            "weir.processes",
            "How many processes there were.",
            Quantity::Processes,
            subject.count().into(),
        ),
        counters(
            "weir.uncounted_calls",
            "Calls that were not counted.",
            Quantity::Calls,
            vec![(Vec::new(), subject.missed.uncounted_calls)],
        ),
    ];
    let heap = subject.heap;
    if heap.not_known.is_none() {
        metrics.extend([
            gauge(
                "weir.heap.live_bytes",
                "Live bytes at the end.",
                Quantity::Bytes,
                heap.live_bytes.into(),
            ),
            gauge(
                "weir.heap.live_blocks",
                "Live blocks at the end.",
                Quantity::Blocks,
                heap.live_blocks.into(),
            ),
            gauge(
                "weir.heap.peak_bytes",
                "The largest number of live bytes; the sum of several processes' largest numbers.",
                Quantity::Bytes,
                heap.peak_bytes.into(),
            ),
        ]);
    }
    metrics
}

fn of_functions<'a>(subject: &'a Subject<'_>) -> Vec<Metric<'a>> {
    let functions = || called(subject);
    let mut metrics: Vec<Metric<'a>> = OF_FUNCTIONS
        .into_iter()
        .map(|(name, help, quantity, of)| {
            let points = functions().map(|(function, numbers)| (vec![function], of(numbers)));
            counters(name, help, quantity, points.collect())
        })
        .collect();
    let errors = functions().flat_map(|(function, numbers)| {
        let by_errno = numbers.errors_by_errno.iter();
        let listed = by_errno.clone().map(|(_, calls)| *calls);
        let listed = listed.fold(0, u64::saturating_add);
        let by_errno =
            by_errno.map(move |(errno, calls)| (vec![function, ("errno", errno.as_str())], *calls));
        // Calls that failed without an errno, or with one that is not listed.
        let others = numbers.errors.saturating_sub(listed);
        by_errno.chain((others > 0).then(|| (vec![function], others)))
    });
    metrics.push(counters(
        "weir.function.errors",
        "Calls of a function that failed.",
        Quantity::Calls,
        errors.collect(),
    ));
    metrics.push(Metric {
        name: "weir.function.seconds",
        help: "How long the calls took that were timed.",
        points: Points::Latencies(latencies(subject).collect()),
    });
    metrics
}

/// What of the calls that were timed is exact also where the histogram lacks some of them. In some formats it is part of
/// `weir.function.seconds`.
pub fn of_timed_calls<'a>(subject: &'a Subject<'_>) -> [Metric<'a>; 2] {
    let points = |of: fn(&Latency) -> u64| {
        let points = latencies(subject).map(|(labels, latency)| (labels, of(latency)));
        points.collect()
    };
    [
        counters(
            "weir.function.timed_calls",
            "Calls of a function that were timed.",
            Quantity::Calls,
            points(|of| of.timed),
        ),
        counters(
            "weir.function.timed_seconds",
            "Time of the calls of a function that were timed.",
            Quantity::Time,
            points(|of| of.total_ns),
        ),
    ]
}

fn of_activities<'a>(subject: &Subject<'a>) -> [Metric<'a>; 2] {
    let activities = subject.activities.iter();
    let points = |of: fn(&weir_report::model::Activity) -> u64| {
        let activities = activities.clone();
        let points =
            activities.map(|(name, numbers)| (vec![("activity", name.as_str())], of(numbers)));
        points.collect()
    };
    [
        counters(
            "weir.activity.calls",
            "Calls by what they were for.",
            Quantity::Calls,
            points(|of| of.calls),
        ),
        counters(
            "weir.activity.seconds",
            "Time of calls by what they were for.",
            Quantity::Time,
            points(|of| of.total_ns),
        ),
    ]
}

fn counters<'a>(
    name: &'static str,
    help: &'static str,
    quantity: Quantity,
    points: Vec<(Labels<'a>, u64)>,
) -> Metric<'a> {
    Metric {
        name,
        help,
        points: Points::Counters(quantity, points),
    }
}

/// The functions that were called, each as a label.
fn called<'a>(
    subject: &'a Subject<'_>,
) -> impl Iterator<Item = ((&'static str, &'a str), &'a Function)> {
    let called = subject.functions.iter().filter(|(_, of)| of.calls > 0);
    called.map(|(name, of)| (("function", name.as_str()), of))
}

fn latencies<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = (Labels<'a>, &'a Latency)> {
    called(subject).filter_map(|(name, of)| Some((vec![name], of.latency.as_deref()?)))
}
