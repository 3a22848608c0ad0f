//! Sums and estimates that the sections and the summary share. A report may be forged, so sums
//! saturate.

use std::collections::BTreeMap;

use weir_record::functions::{Family, Function as Known, Role};
use weir_report::model::{Function, Thread};
use weir_report::{estimate, waits};

use crate::cli::Sort;
use crate::units;

/// The family of the allocation functions.
pub const ALLOC: &str = "alloc";

/// What of a program's doings a function is part of: what is not to be added up, or hides the rest, is apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Memory, and what the program itself asks of the kernel.
    Plain,
    /// What the program asks of stdio.
    Stdio,
    /// What stdio asks of the kernel, to do what the program asked of it.
    StdioSystem,
    /// Waiting.
    Wait,
}

impl Part {
    /// That of a function, which a later Weir may know and this one not.
    pub fn of(name: &str, family_name: &str) -> Part {
        match family(family_name) {
            Some(Family::Wait | Family::Lock) => Part::Wait,
            Some(Family::Stdio) => Part::Stdio,
            Some(Family::StdioSystem) => Part::StdioSystem,
            _ if Known::from_name(name).is_some_and(waits) => Part::Wait,
            _ => Part::Plain,
        }
    }
}

/// The time that all calls took, estimated from the timed ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// The sum, extended to the calls that were not timed.
    pub ns: u64,
    /// Whether every call was timed.
    pub is_exact: bool,
    /// The error of the sum in 95 of 100 cases is at most this; 0 if the sum is exact.
    pub error_ns: u64,
}

impl Time {
    /// The time of `calls`, of which `timed` took `total_ns`, with this deviation; none if no call was timed, or too few of
    /// them.
    pub fn estimate(calls: u64, timed: u64, total_ns: u64, deviation_ns: f64) -> Option<Time> {
        if timed == 0 {
            return None;
        }
        if timed >= calls {
            return Some(Time {
                ns: total_ns,
                is_exact: true,
                error_ns: 0,
            });
        }
        let estimate = estimate::total(calls, timed, total_ns, deviation_ns)?;
        Some(Time {
            ns: estimate.total_ns,
            is_exact: false,
            error_ns: estimate.error_ns,
        })
    }

    /// Of a function.
    pub fn of(function: &Function) -> Option<Time> {
        let latency = function.latency.as_ref()?;
        let deviation_ns = estimate::deviation_ns(latency);
        Time::estimate(
            function.calls,
            latency.timed,
            latency.total_ns,
            deviation_ns,
        )
    }

    /// Both together: an estimate where either is one.
    pub fn plus(self, other: Time) -> Time {
        Time {
            ns: self.ns.saturating_add(other.ns),
            is_exact: self.is_exact && other.is_exact,
            // The calls were picked apart from each other.
            error_ns: (square(self.error_ns) + square(other.error_ns))
                .sqrt()
                .ceil() as u64,
        }
    }
}

// By hand: `f64::hypot` would have the command load the C library's mathematics at each start.
fn square(number: u64) -> f64 {
    let number = number as f64;
    number * number
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_exact {
            return write!(f, "{}", units::time(self.ns));
        }
        let percent = (self.error_ns as f64 / self.ns.max(1) as f64 * 100.0).ceil() as u64;
        write!(
            f,
            "≈ {} ±{}%",
            units::time(self.ns),
            units::count(percent.max(1))
        )
    }
}

/// The time as a table shows it.
pub fn shown(time: Option<Time>) -> String {
    time.map_or(units::NONE.to_owned(), |time| time.to_string())
}

/// Sums of calls, bytes and time, by which tables are sorted.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallSums {
    /// Calls.
    pub calls: u64,
    /// Calls of allocation functions.
    pub alloc_calls: u64,
    /// Of those, calls that make a block or change its size.
    pub allocating_calls: u64,
    /// Calls of I/O functions.
    pub io_calls: u64,
    /// Failed calls.
    pub errors: u64,
    /// Bytes asked of the functions that allocate.
    pub allocated_bytes: u64,
    /// Bytes that I/O functions moved.
    pub moved_bytes: u64,
    /// Of those, bytes that the program read.
    pub read_bytes: u64,
    /// Of those, bytes that the program wrote.
    pub written_bytes: u64,
    /// Of those, bytes that went from one descriptor to another.
    pub copied_bytes: u64,
    /// Time, where any call was timed: without waiting, and without what stdio does in memory; what stdio asks
    /// of the kernel is in it.
    pub time: Option<Time>,
    /// Time of the calls that wait.
    pub waited: Option<Time>,
}

impl CallSums {
    /// Over a table of functions.
    pub fn of(functions: &BTreeMap<String, Function>) -> CallSums {
        let mut totals = CallSums::default();
        for (name, function) in functions {
            totals.add(&Use {
                name,
                family: &function.family,
                calls: function.calls,
                errors: function.errors,
                requested_bytes: function.requested_bytes,
                moved_bytes: function.moved_bytes,
                time: Time::of(function),
            });
        }
        totals
    }

    /// Over the functions that a thread called; the process knows their families.
    pub fn of_thread(thread: &Thread, process: &BTreeMap<String, Function>) -> CallSums {
        let mut totals = CallSums::default();
        for (name, function) in &thread.functions {
            // One thread has no histogram of its own: its calls deviate as those of all.
            let latency = process.get(name).and_then(|all| all.latency.as_deref());
            totals.add(&Use {
                name,
                family: process.get(name).map_or("", |function| &function.family),
                calls: function.calls,
                errors: function.errors,
                requested_bytes: function.requested_bytes,
                moved_bytes: function.moved_bytes,
                time: Time::estimate(
                    function.calls,
                    function.timed,
                    function.total_ns,
                    latency.map_or(0.0, estimate::deviation_ns),
                ),
            });
        }
        totals
    }

    fn add(&mut self, part: &Use<'_>) {
        let add = |sum: &mut u64, number: u64| *sum = sum.saturating_add(number);
        add(&mut self.calls, part.calls);
        add(&mut self.errors, part.errors);
        let asks_the_kernel = family(part.family).is_some_and(Family::is_io);
        if part.family == ALLOC {
            add(&mut self.alloc_calls, part.calls);
        } else if asks_the_kernel {
            add(&mut self.io_calls, part.calls);
            add(&mut self.moved_bytes, part.moved_bytes);
        }
        match role(part.name).filter(|_| part.family == ALLOC || asks_the_kernel) {
            Some(Role::Allocate | Role::Resize) => {
                add(&mut self.allocating_calls, part.calls);
                add(&mut self.allocated_bytes, part.requested_bytes);
            }
            Some(Role::Read) => add(&mut self.read_bytes, part.moved_bytes),
            Some(Role::Write) => add(&mut self.written_bytes, part.moved_bytes),
            Some(Role::Move) => add(&mut self.copied_bytes, part.moved_bytes),
            _ => {}
        }
        let sum = match Part::of(part.name, part.family) {
            Part::Plain | Part::StdioSystem => &mut self.time,
            Part::Wait => &mut self.waited,
            Part::Stdio => return,
        };
        *sum = match (*sum, part.time) {
            (Some(sum), Some(time)) => Some(sum.plus(time)),
            (sum, time) => sum.or(time),
        };
    }

    /// What the table is sorted by, the greatest first.
    pub fn key(&self, sort: Sort) -> (u64, u64) {
        match sort {
            Sort::Time => (self.time.map_or(0, |time| time.ns), self.calls),
            Sort::Calls => (self.calls, self.bytes()),
            Sort::Bytes => (self.bytes(), self.calls),
        }
    }

    fn bytes(&self) -> u64 {
        self.allocated_bytes.saturating_add(self.moved_bytes)
    }
}

/// What adds to totals.
struct Use<'a> {
    name: &'a str,
    family: &'a str,
    calls: u64,
    errors: u64,
    requested_bytes: u64,
    moved_bytes: u64,
    time: Option<Time>,
}

/// The functions that were called, as the order wants them.
pub fn called(functions: &BTreeMap<String, Function>, sort: Sort) -> Vec<(&str, &Function)> {
    let mut called: Vec<(&str, &Function)> = functions
        .iter()
        .filter(|(_, function)| function.calls > 0)
        .map(|(name, function)| (name.as_str(), function))
        .collect();
    let time = |function: &Function| Time::of(function).map_or(0, |time| time.ns);
    called.sort_by_key(|(_, function)| {
        std::cmp::Reverse(match sort {
            Sort::Time => (time(function), function.calls),
            Sort::Calls => (function.calls, bytes(function)),
            Sort::Bytes => (bytes(function), function.calls),
        })
    });
    called
}

/// The bytes that matter most for a function: requested, or moved.
pub fn bytes(function: &Function) -> u64 {
    match function.family.as_str() {
        ALLOC => function.requested_bytes,
        _ => function.moved_bytes,
    }
}

/// What calls of a function do; reports of a later Weir may have functions that this one does not know.
fn role(name: &str) -> Option<Role> {
    Known::from_name(name).map(|known| known.row().role)
}

/// A family by its name; reports of a later Weir may have some that this one does not know.
fn family(name: &str) -> Option<Family> {
    Family::ALL.into_iter().find(|family| family.name() == name)
}

/// The words for an order.
pub fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Time => "by total time",
        Sort::Calls => "by calls",
        Sort::Bytes => "by bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_extended_to_the_calls_that_were_not_timed() {
        assert_eq!(Time::estimate(5, 0, 0, 1.0), None);
        let all = Time::estimate(5, 5, 40, 1.0).expect("timed");
        assert_eq!((all.ns, all.is_exact, all.error_ns), (40, true, 0));
        assert_eq!(all.to_string(), "40 ns");
        let some = Time::estimate(3000, 30, 120, 1.0).expect("timed");
        assert_eq!((some.ns, some.is_exact), (12_000, false));
        assert_eq!(some.to_string(), "≈ 12.0 µs ±9%");
        assert_eq!(some.plus(all).error_ns, some.error_ns);
        assert_eq!(
            Time::estimate(3000, 29, 120, 1.0),
            None,
            "too few to decide"
        );
        let most = Time::estimate(u64::MAX, 30, u64::MAX, f64::MAX).expect("timed");
        assert_eq!((most.ns, most.error_ns), (u64::MAX, u64::MAX));
        assert_eq!(most.plus(most).ns, u64::MAX);
    }

    #[test]
    fn waiting_and_the_two_levels_of_stdio_are_distinguished() {
        let cases = [
            ("read", "file", Part::Plain),
            ("malloc", "alloc", Part::Plain),
            ("fwrite", "stdio", Part::Stdio),
            ("_IO_file_write", "stdio_system", Part::StdioSystem),
            ("poll", "wait", Part::Wait),
            ("accept4", "socket", Part::Wait),
            ("connect", "socket", Part::Wait),
            ("recv", "socket", Part::Plain),
            ("a_later_wait", "wait", Part::Wait),
            ("a_later_function", "a_later_family", Part::Plain),
        ];
        let function = |family: &str| Function {
            family: family.to_owned(),
            calls: 1,
            latency: Some(Box::new(weir_report::model::Latency {
                timed: 1,
                total_ns: 100,
                ..Default::default()
            })),
            ..Function::default()
        };
        for (name, family, part) in cases {
            assert_eq!(Part::of(name, family), part, "{name}");
            let functions = BTreeMap::from([(name.to_owned(), function(family))]);
            let totals = CallSums::of(&functions);
            let ns = |time: Option<Time>| time.map_or(0, |time| time.ns);
            let expected = match part {
                Part::Plain | Part::StdioSystem => (100, 0),
                Part::Wait => (0, 100),
                Part::Stdio => (0, 0),
            };
            assert_eq!((ns(totals.time), ns(totals.waited)), expected, "{name}");
        }
    }

    #[test]
    fn totals_tell_allocation_from_input_and_output() {
        let function = |family: &str, requested_bytes, moved_bytes| Function {
            family: family.to_owned(),
            calls: 1,
            requested_bytes,
            moved_bytes,
            ..Function::default()
        };
        let functions = BTreeMap::from([
            ("malloc".to_owned(), function("alloc", 10, 0)),
            ("free_sized".to_owned(), function("alloc", 100, 0)),
            ("read".to_owned(), function("file", 4096, 7)),
            ("write".to_owned(), function("file", 3, 2)),
            ("sendfile".to_owned(), function("file", 90, 60)),
            ("_exit".to_owned(), function("process", 0, 0)),
        ]);
        let totals = CallSums::of(&functions);
        assert_eq!(
            (totals.calls, totals.alloc_calls, totals.io_calls),
            (6, 2, 3)
        );
        assert_eq!((totals.allocating_calls, totals.copied_bytes), (1, 60));
        assert_eq!(totals.allocated_bytes, 10, "what is freed is not allocated");
        assert_eq!(
            (totals.moved_bytes, totals.read_bytes, totals.written_bytes),
            (69, 7, 2)
        );
    }
}
