//! Bytes, calls and threads over time, beside a program that knows when it moved what.

use weir_record::functions::{Function, Role};
use weir_report::model::{Process, TimelinePoint};

use crate::support::{Mode, Program, victim};

/// A look at the counters is so much later than its time says, at most.
const LATE_NS: u64 = 100_000_000;

/// What the counters of a point are about.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    calls: u64,
    written: u64,
    read: u64,
    copied: u64,
    threads: u64,
}

impl Done {
    fn by(point: &TimelinePoint) -> Done {
        Done {
            calls: point.io_calls,
            written: point.written_bytes,
            read: point.read_bytes,
            copied: point.copied_bytes,
            threads: point.threads.expect("a number").into(),
        }
    }

    /// Of what was done since another point; threads are those of the moment.
    fn since(&self, before: &Done) -> Done {
        Done {
            calls: self.calls - before.calls,
            written: self.written - before.written,
            read: self.read - before.read,
            copied: self.copied - before.copied,
            threads: self.threads,
        }
    }
}

/// The points of a time in which the program did nothing.
fn points(process: &Process, began_unix_ns: u64, ended_unix_ns: u64) -> Vec<&TimelinePoint> {
    let moments = began_unix_ns..ended_unix_ns - LATE_NS;
    let points = process.timeline.points.iter();
    let points = points.filter(|of| moments.contains(&(process.started_unix_ns + of.at_ns)));
    points.collect()
}

#[test]
fn each_moment_has_what_was_moved_by_then() {
    let program = Program::new(victim("moves_bytes"));
    let outcome = program.run(Mode::Run).expect_status(0);
    let process = outcome.process();
    let text = outcome.text();
    let mut first: Option<Done> = None;
    for line in text.lines() {
        let words = line.split(' ').map(|word| word.parse().expect("a number"));
        let words: Vec<u64> = words.collect();
        let [began, ended, calls, written, read, copied, threads] = words[..] else {
            panic!("{line}");
        };
        let expected = Done {
            calls,
            written,
            read,
            copied,
            threads,
        };
        let seen = points(process, began, ended);
        assert!(!seen.is_empty(), "{line}");
        for point in seen {
            let done = Done::by(point);
            let first = first.get_or_insert_with(|| Done::by(point));
            assert_eq!(done.since(first), expected, "{line}");
        }
    }
    assert_eq!(text.lines().count(), 6);
    expect_sums(process);
}

/// What all points together have is what the functions have: so has the last one.
#[track_caller]
fn expect_sums(process: &Process) {
    let mut sums = Done {
        calls: 0,
        written: 0,
        read: 0,
        copied: 0,
        threads: 1,
    };
    for (name, of) in &process.functions {
        let row = Function::from_name(name).expect("a known function").row();
        if !row.family.is_io() {
            continue;
        }
        sums.calls += of.calls;
        match row.role {
            Role::Write => sums.written += of.moved_bytes,
            Role::Read => sums.read += of.moved_bytes,
            Role::Move => sums.copied += of.moved_bytes,
            _ => {}
        }
    }
    let points = &process.timeline.points;
    let last = points.last().expect("points");
    assert_eq!(Done::by(last), sums);
    let grows = points.windows(2).all(|pair| {
        let (before, after) = (&pair[0], &pair[1]);
        before.io_calls <= after.io_calls
            && before.read_bytes <= after.read_bytes
            && before.written_bytes <= after.written_bytes
            && before.copied_bytes <= after.copied_bytes
    });
    assert!(grows, "{points:?}");
}

/// A program with the library alone keeps the same series, where it has a second thread to do so.
#[test]
fn the_last_point_has_the_sums_in_each_way_of_measuring() {
    for mode in Mode::MEASURED {
        let program = Program::new(victim("moves_bytes"));
        expect_sums(program.run(mode).expect_status(0).process());
    }
}
