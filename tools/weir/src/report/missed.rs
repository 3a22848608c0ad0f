//! What Weir did not observe or measure, and the cost of the measurement.

use std::collections::HashMap;

use weir_report::model::{IoUring, IoUringSeen, Missed, Untraced};

use super::page::Page;
use super::subject::Subject;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    page.heading("Not observed or not measured", "");
    page.sentences(&sentences(subject.missed));

    page.heading("Cost of the measurement", "");
    let tool = subject.tool;
    let mut memory = format!("{} shared", units::bytes(tool.region_bytes));
    if tool.writer_bytes > 0 {
        memory += &format!(
            ", and {} for the writer in the program",
            units::bytes(tool.writer_bytes)
        );
    }
    let mut writer = text::counted(tool.samples, "sample", "samples");
    if tool.writer_polls > 0 {
        let polls = text::counted(tool.writer_polls, "poll", "polls");
        writer += &format!(
            " in {polls}, {} of CPU time",
            units::time(tool.writer_cpu_ns)
        );
    }
    page.pairs(&[("memory", memory), ("writer", writer)]);
}

/// All that was not observed or not measured, a sentence each.
pub fn sentences(missed: &Missed) -> Vec<String> {
    let mut sentences = shortcomings(missed);
    sentences.extend(missed.notes.iter().cloned());
    if missed.untimed_calls > 0 {
        let calls = text::counted(missed.untimed_calls, "call", "calls");
        sentences.push(format!(
            "not timed: {calls} (counted; latencies do not include them)"
        ));
    }
    if missed.reentrant_calls > 0 {
        let calls = text::counted(missed.reentrant_calls, "call", "calls");
        sentences.push(format!(
            "not counted: {calls} by Weir itself, or by the C library on its behalf"
        ));
    }
    sentences.push("never observed: system calls that the C library makes inside other functions, and those that the program makes without it".to_owned());
    sentences
}

/// What was not observed or not measured and should have been, one phrase each, without the notes; none where all went well.
pub fn shortcomings(missed: &Missed) -> Vec<String> {
    let mut sentences = Vec::new();
    sentences.extend(phrase(
        "not counted",
        missed.uncounted_calls,
        "call",
        "calls",
        "before start-up or after shutdown",
    ));
    sentences.extend(phrase(
        "not in percentiles",
        missed.dropped_samples,
        "call",
        "calls",
        "a ring was full; counts, totals and means include them",
    ));
    sentences.extend(phrase(
        "not timed",
        missed.threads_without_slot,
        "thread",
        "threads",
        "no free slot; their calls are counted together",
    ));
    sentences.extend(phrase(
        "errno not recorded",
        missed.unlisted_errnos,
        "failed call",
        "failed calls",
        "the table was full",
    ));
    if !missed.not_interposed.is_empty() {
        let names = text::list(&missed.not_interposed);
        sentences.push(format!(
            "not observed: calls of {names} that the program binds to another object"
        ));
    }
    sentences.extend(untraced(missed));
    sentences.extend(phrase(
        "not known whether traced",
        missed.unlisted_starts,
        "program start",
        "program starts",
        "too many at once",
    ));
    sentences.extend(missed.io_uring.as_ref().map(io_uring));
    sentences
}

/// What befell so many of a kind, and why; none where there are none.
fn phrase(what: &str, count: u64, one: &str, many: &str, detail: &str) -> Option<String> {
    let counted = text::counted(count, one, many);
    (count > 0).then(|| format!("{what}: {counted} ({detail})"))
}

fn io_uring(io_uring: &IoUring) -> String {
    const NOT_OBSERVED: &str = "not observed: I/O through rings of io_uring";
    match (io_uring.seen, &io_uring.library) {
        (IoUringSeen::Used, None) => format!("{NOT_OBSERVED} (the program used them)"),
        (IoUringSeen::Used, Some(library)) => {
            format!("{NOT_OBSERVED} (the program used them, by {library})")
        }
        (IoUringSeen::AskedFor, _) => {
            format!("{NOT_OBSERVED}, if there was any (the program requested a ring)")
        }
        (IoUringSeen::Loaded, library) => {
            let library = library.as_deref().unwrap_or("a library for io_uring");
            format!("{NOT_OBSERVED}, if there was any ({library} was loaded)")
        }
    }
}

/// A phrase for every program that was not traced, however often it was started.
fn untraced(missed: &Missed) -> Vec<String> {
    let mut groups: Vec<(&Untraced, u64)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for one in &missed.untraced {
        let place = places.entry((&one.program, &one.reason));
        let place = *place.or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => groups.push((one, 1)),
        }
    }
    let sentence = |(one, count): (&Untraced, u64)| {
        let Untraced {
            pid,
            program,
            reason,
        } = one;
        let program = match program.as_str() {
            "" => "a program of unknown path",
            path => path,
        };
        match (count, *pid) {
            (1, 0) => format!("not traced: a process ({program}): it {reason}"),
            (1, pid) => format!("not traced: process {pid} ({program}): it {reason}"),
            _ => {
                let processes = text::counted(count, "process", "processes");
                format!("not traced: {processes} of {program}: it {reason}")
            }
        }
    };
    groups.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_uring_is_reported_as_surely_as_it_is_known() {
        let sentence = |seen, library: Option<&str>| {
            let library = library.map(str::to_owned);
            let missed = Missed {
                io_uring: Some(IoUring { seen, library }),
                ..Missed::default()
            };
            shortcomings(&missed).join("\n")
        };
        let used = sentence(IoUringSeen::Used, Some("/lib/liburing.so.2"));
        assert!(
            used.ends_with("(the program used them, by /lib/liburing.so.2)"),
            "{used}"
        );
        let asked_for = sentence(IoUringSeen::AskedFor, None);
        assert!(
            asked_for.contains("if there was any (the program requested"),
            "{asked_for}"
        );
        let loaded = sentence(IoUringSeen::Loaded, Some("/lib/liburing.so.2"));
        assert!(
            loaded.ends_with("if there was any (/lib/liburing.so.2 was loaded)"),
            "{loaded}"
        );
    }

    #[test]
    fn programs_that_were_not_traced_are_reported_once_each() {
        let one = |pid, program: &str, reason: &str| Untraced {
            pid,
            program: program.to_owned(),
            reason: reason.to_owned(),
        };
        let missed = Missed {
            untraced: vec![
                one(3, "/bin/busybox", "is statically linked"),
                one(4, "/bin/cat", "was started without LD_PRELOAD"),
                one(5, "/bin/busybox", "is statically linked"),
                one(0, "", "was started in a sandbox"),
                one(0, "true", "was started in a sandbox"),
            ],
            unlisted_starts: 1,
            ..Missed::default()
        };
        assert_eq!(
            shortcomings(&missed),
            [
                "not traced: 2 processes of /bin/busybox: it is statically linked",
                "not traced: process 4 (/bin/cat): it was started without LD_PRELOAD",
                "not traced: a process (a program of unknown path): it was started in a sandbox",
                "not traced: a process (true): it was started in a sandbox",
                "not known whether traced: 1 program start (too many at once)",
            ]
        );
    }
}
