//! What the report does not tell, and what the measurement cost.

use std::collections::HashMap;

use weir_report::model::{IoUring, IoUringSeen, Missed, Untraced};

use super::page::Page;
use super::subject::Subject;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    page.heading("What this report does not tell", "");
    let mut sentences = shortcomings(subject.missed);
    let missed = subject.missed;
    if missed.untimed_calls > 0 {
        let calls = text::counted(missed.untimed_calls, "call was", "calls were");
        sentences.push(format!(
            "{calls} counted but not timed: latencies are those of the others"
        ));
    }
    if missed.reentrant_calls > 0 {
        let calls = text::counted(missed.reentrant_calls, "call was", "calls were");
        sentences.push(format!(
            "{calls} made by Weir itself, or by the C library for it: passed through, and not among the calls"
        ));
    }
    sentences.push("system calls that libc makes inside other functions, or the program without libc, are never seen".to_owned());
    page.sentences(&sentences);

    page.heading("What Weir cost", "");
    let tool = subject.tool;
    let mut memory = format!("{} shared", units::bytes(tool.region_bytes));
    if tool.writer_bytes > 0 {
        memory += &format!(
            ", {} of the writer in the program",
            units::bytes(tool.writer_bytes)
        );
    }
    let mut writer = text::counted(tool.samples, "sample", "samples");
    if tool.writer_polls > 0 {
        let polls = text::counted(tool.writer_polls, "poll", "polls");
        writer += &format!(
            " in {polls}, {} of processor time",
            units::time(tool.writer_cpu_ns)
        );
    }
    page.pairs(&[("memory", memory), ("writer", writer)]);
}

/// What went unseen and should not have, a sentence each; none where all went well.
pub fn shortcomings(missed: &Missed) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut say = |count: u64, one: &str, many: &str, predicate: &str| {
        if count > 0 {
            sentences.push(format!("{} {predicate}", text::counted(count, one, many)));
        }
    };
    say(
        missed.uncounted_calls,
        "call was",
        "calls were",
        "made before or after Weir could count: in no number here",
    );
    say(
        missed.dropped_samples,
        "latency is",
        "latencies are",
        "in no percentile, because a ring was full (calls, totals, means and maxima have all)",
    );
    say(
        missed.threads_without_slot,
        "thread",
        "threads",
        "found no slot: counted together, and not timed",
    );
    say(
        missed.unlisted_errnos,
        "failed call is",
        "failed calls are",
        "without its errno, because the table was full",
    );
    if !missed.not_interposed.is_empty() {
        let names = text::list(&missed.not_interposed);
        sentences.push(format!(
            "calls of {names} that the program binds elsewhere did not reach Weir"
        ));
    }
    sentences.extend(untraced(missed));
    if missed.unlisted_starts > 0 {
        let starts = text::counted(missed.unlisted_starts, "start", "starts");
        sentences.push(format!(
            "{starts} of programs came too fast to be noted: whether they were traced is not known"
        ));
    }
    sentences.extend(missed.io_uring.as_ref().map(io_uring));
    sentences.extend(missed.notes.iter().cloned());
    sentences
}

fn io_uring(io_uring: &IoUring) -> String {
    const PAST: &str = "passes the C library by, and is neither counted nor timed";
    match (io_uring.seen, &io_uring.library) {
        (IoUringSeen::Used, None) => {
            format!("io_uring was used: what goes through its rings {PAST}")
        }
        (IoUringSeen::Used, Some(library)) => {
            format!("io_uring was used, by {library}: what goes through its rings {PAST}")
        }
        (IoUringSeen::AskedFor, _) => {
            format!(
                "a ring of io_uring was asked for: what goes through it, if there was one, {PAST}"
            )
        }
        (IoUringSeen::Loaded, library) => {
            let library = library.as_deref().unwrap_or("a library for io_uring");
            format!(
                "{library} was loaded: what goes through rings of io_uring, if there were any, {PAST}"
            )
        }
    }
}

/// A sentence for every program that was not traced, however often it was started.
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
        if count == 1 {
            format!("process {pid} ({program}) was not traced: it {reason}")
        } else {
            let processes = text::counted(count, "process", "processes");
            format!("{processes} of {program} were not traced: it {reason}")
        }
    };
    groups.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_uring_is_told_as_surely_as_it_is_known() {
        let told = |seen, library: Option<&str>| {
            let library = library.map(str::to_owned);
            let missed = Missed {
                io_uring: Some(IoUring { seen, library }),
                ..Missed::default()
            };
            shortcomings(&missed).join("\n")
        };
        let used = told(IoUringSeen::Used, Some("/lib/liburing.so.2"));
        assert!(used.starts_with("io_uring was used, by /lib/liburing.so.2: "));
        let asked_for = told(IoUringSeen::AskedFor, None);
        assert!(asked_for.contains("if there was one"), "{asked_for}");
        let loaded = told(IoUringSeen::Loaded, Some("/lib/liburing.so.2"));
        assert!(
            loaded.starts_with("/lib/liburing.so.2 was loaded: ")
                && loaded.contains("if there were any")
        );
    }

    #[test]
    fn programs_that_were_not_traced_are_told_once_each() {
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
            ],
            unlisted_starts: 1,
            ..Missed::default()
        };
        assert_eq!(
            shortcomings(&missed),
            [
                "2 processes of /bin/busybox were not traced: it is statically linked",
                "process 4 (/bin/cat) was not traced: it was started without LD_PRELOAD",
                "1 start of programs came too fast to be noted: whether they were traced is not known",
            ]
        );
    }
}
