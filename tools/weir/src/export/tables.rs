//! What a report has, as tables: each row has the same columns, and a number is a number.

use serde_json::{Map, Number, Value};
use weir_report::Ordered;
use weir_report::model::{End, EndKind, FileUse, Files, Function, Latency, Parts, Process, Thread};

use super::columns::{Column, ERROR, FILE, FUNCTION, PROCESS};
use crate::cli::Rows;
use crate::report::Subject;
use crate::text;

/// A table.
#[derive(Debug)]
pub struct Table {
    pub columns: Vec<&'static str>,
    /// For each row a value of each column: text, a number, or nothing.
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// That of the recording, or of the images of one process.
    pub fn of(rows: Rows, subjects: &[Subject<'_>]) -> Table {
        let mut table = Table {
            columns: columns(rows),
            rows: Vec::new(),
        };
        for (image, subject) in (1..).zip(subjects) {
            let first = table.rows.len();
            table.add(rows, subject);
            if matches!(rows, Rows::Processes | Rows::Threads) {
                continue;
            }
            let of = match (subject.is_image, subject.processes.as_slice()) {
                (true, [process]) => [Value::from(process.pid), Value::from(image)],
                _ => [Value::Null, Value::Null],
            };
            for row in &mut table.rows[first..] {
                row.splice(0..0, of.clone());
            }
        }
        table
    }

    fn add(&mut self, rows: Rows, subject: &Subject<'_>) {
        let functions = subject.functions.iter().filter(|(_, of)| of.calls > 0);
        match rows {
            Rows::Functions => self
                .rows
                .extend(functions.map(|(name, of)| function(name, of))),
            Rows::Errors => {
                let rows = functions.flat_map(|(name, of)| errors(name, of));
                self.rows.extend(rows);
            }
            Rows::Latency => {
                for (name, function) in functions {
                    for (part, latency) in parts(function) {
                        self.rows.extend(classes(name, part, latency));
                    }
                }
            }
            Rows::Files => {
                self.rows.extend(all_files(subject.files).map(file));
            }
            Rows::Processes => self.rows.extend(subject.processes.iter().map(|of| {
                let mut row = vec![of.pid.into()];
                row.extend(process(of));
                row
            })),
            Rows::Threads => {
                for process in &subject.processes {
                    self.rows
                        .extend(process.threads.iter().map(|of| thread(process, of)));
                }
            }
        }
    }

    /// A row as an object.
    pub fn object(&self, row: &[Value]) -> Map<String, Value> {
        let columns = self.columns.iter().map(|&column| column.to_owned());
        columns.zip(row.iter().cloned()).collect()
    }
}

fn columns(rows: Rows) -> Vec<&'static str> {
    let names = |first: &[&'static str], columns: &[Column]| {
        let names = columns.iter().map(|column| column.name);
        first.iter().copied().chain(names).collect()
    };
    let of_image = ["pid", "image"];
    match rows {
        Rows::Functions => names(&of_image, &FUNCTION),
        Rows::Errors => names(&of_image, &ERROR),
        Rows::Latency => vec![
            "pid", "image", "function", "part", "from_ns", "to_ns", "calls",
        ],
        Rows::Files => names(&of_image, &FILE),
        Rows::Processes => names(&["pid"], &PROCESS),
        Rows::Threads => vec![
            "pid",
            "tid",
            "name",
            "threads",
            "started_ns",
            "running",
            "calls",
            "total_ns",
            "live_bytes",
        ],
    }
}

/// The values of [`FUNCTION`].
pub fn function(name: &str, of: &Function) -> Vec<Value> {
    let mut row: Vec<Value> = vec![
        name.into(),
        of.family.as_str().into(),
        of.calls.into(),
        of.errors.into(),
        of.requested_bytes.into(),
        of.moved_bytes.into(),
        of.reentrant.into(),
    ];
    let latency = of.latency.as_deref();
    let number = |of: fn(&Latency) -> u64| latency.map(of).into();
    let percentile =
        |of: fn(&Latency) -> u64| latency.and_then(|latency| latency.of_histogram(of)).into();
    row.push(number(|of| of.timed));
    row.push(number(|of| of.dropped));
    row.push(number(|of| of.total_ns));
    row.push(of.estimated.as_ref().map(|of| of.total_ns).into());
    row.push(percentile(|of| of.min_ns));
    row.push(number(|of| of.mean_ns));
    row.push(percentile(|of| of.p50_ns));
    row.push(percentile(|of| of.p90_ns));
    row.push(percentile(|of| of.p99_ns));
    row.push(percentile(|of| of.p99_9_ns));
    row.push(number(|of| of.max_ns));
    row
}

/// The values of [`ERROR`] for each errno, and for what the report does not list by errno.
pub fn errors(name: &str, of: &Function) -> Vec<Vec<Value>> {
    let listed = of.errors_by_errno.iter();
    let row = |errno: Value, calls: u64| vec![name.into(), errno, calls.into()];
    let mut rows: Vec<Vec<Value>> = listed
        .map(|(errno, calls)| row(errno.as_str().into(), *calls))
        .collect();
    let listed = of.errors_by_errno.values();
    let listed = listed.fold(0, |sum: u64, calls| sum.saturating_add(*calls));
    if of.errors > listed {
        rows.push(row(Value::Null, of.errors - listed));
    }
    rows
}

/// The histograms of a function: of all its calls, and of their parts.
pub fn parts(function: &Function) -> Vec<(&'static str, &Latency)> {
    let all = function.latency.as_deref().map(|latency| ("all", latency));
    let parts = function.parts.as_deref();
    let parts = parts.map(|Parts { wait, transfer, .. }| [("wait", wait), ("transfer", transfer)]);
    all.into_iter().chain(parts.into_iter().flatten()).collect()
}

fn classes(name: &str, part: &str, latency: &Latency) -> Vec<Vec<Value>> {
    let ordered = Ordered::of(latency);
    let classes = ordered.iter().flat_map(Ordered::classes);
    let rows = classes.map(|(between, calls)| {
        vec![
            name.into(),
            part.into(),
            (*between.start()).into(),
            between.end().saturating_add(1).into(),
            calls.into(),
        ]
    });
    rows.collect()
}

/// Those that are listed, and the sum of the others.
pub fn all_files(files: &Files) -> impl Iterator<Item = &FileUse> {
    let others = &files.others;
    // Calls on descriptors of which nothing is known are among the others, too.
    let counts = [
        files.folded,
        others.calls(),
        others.opens,
        others.errors,
        others.mapped_bytes,
    ];
    let others = counts.iter().any(|&count| count > 0).then_some(others);
    files.listed.iter().chain(others)
}

/// The values of [`FILE`].
pub fn file(of: &FileUse) -> Vec<Value> {
    vec![
        of.kind.as_str().into(),
        of.name.as_str().into(),
        of.opens.into(),
        of.reads.into(),
        of.writes.into(),
        of.other_calls.into(),
        of.errors.into(),
        of.read_bytes.into(),
        of.written_bytes.into(),
        of.mapped_bytes.into(),
        of.read_ns.into(),
        of.write_ns.into(),
        of.other_ns.into(),
        of.sequential.into(),
        of.random.into(),
        of.switches.into(),
    ]
}

/// The values of [`PROCESS`].
pub fn process(of: &Process) -> Vec<Value> {
    let calls = of.functions.values();
    let calls = calls.fold(0, |sum: u64, of| sum.saturating_add(of.calls));
    let heap = &of.heap;
    let known = |number: Number| match heap.not_known {
        Some(_) => Value::Null,
        None => Value::Number(number),
    };
    vec![
        of.parent_pid.into(),
        of.stands_for().into(),
        of.executable.as_str().into(),
        text::command_line(&of.command).into(),
        of.started_at.as_deref().into(),
        of.duration_ns.into(),
        how(&of.end).into(),
        of.end.status.into(),
        of.end.signal.into(),
        calls.into(),
        known(heap.live_bytes.into()),
        known(heap.live_blocks.into()),
        known(heap.inherited_bytes.into()),
        known(heap.inherited_blocks.into()),
        known(heap.peak_bytes.into()),
        known(heap.peak_error_bytes.into()),
        of.title.as_deref().into(),
    ]
}

/// How a process ended, in a word.
pub fn how(end: &End) -> &'static str {
    match end.how {
        EndKind::Running => "running",
        EndKind::Exec => "exec",
        EndKind::Exited => "exited",
        EndKind::Signaled => "signaled",
        EndKind::Unknown => "unknown",
    }
}

fn thread(process: &Process, of: &Thread) -> Vec<Value> {
    let sum = |number: fn(&weir_report::model::ThreadFunction) -> u64| {
        let numbers = of.functions.values().map(number);
        numbers.fold(0, u64::saturating_add)
    };
    vec![
        process.pid.into(),
        of.tid.into(),
        of.name.as_str().into(),
        of.threads.into(),
        of.started_ns.into(),
        of.running.into(),
        sum(|of| of.calls).into(),
        sum(|of| of.total_ns).into(),
        of.live_bytes.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_on_unknown_descriptors_are_a_row_too() {
        let mut files = Files::default();
        assert_eq!(all_files(&files).count(), 0);
        files.others.other_calls = 2;
        assert_eq!(all_files(&files).count(), 1);
        files.others.other_calls = 0;
        files.folded = 1;
        assert_eq!(all_files(&files).count(), 1);
    }
}
