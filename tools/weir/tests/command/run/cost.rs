//! What `weir run` itself does for a short program, by strace: its cost in calls, which does not depend on the load of the machine.

use std::fs;
use std::process::Command;

use super::{Place, weir};

/// The calls of weir's own process around a program that does nothing; those with which it loads libraries and starts
/// processes and threads.
fn own_calls(options: &[&str]) -> Vec<String> {
    traced_calls("trace=openat,clone,clone3,fork,vfork", options, &["true"])
}

/// The calls of weir's own process around a program, of those that strace is to trace, each behind its time in seconds.
fn traced_calls(which: &str, options: &[&str], program: &[&str]) -> Vec<String> {
    let place = Place::new();
    let head = ["run", "--quiet", "--out", "report.json"];
    let traced = weir(head.iter().chain(options).chain(&["--"]).chain(program));
    let mut strace = place.settle(Command::new("strace"));
    strace.args(["-f", "-ttt", "-o", "trace", "-e", which]);
    // Where it is set, weir looks whose libraries the program gets by it.
    strace.env_remove("LD_LIBRARY_PATH");
    strace.arg(traced.get_program()).args(traced.get_args());
    let output = strace.output().expect("strace is there");
    assert!(output.status.success(), "{output:?}");
    let trace = fs::read_to_string(place.file("trace")).expect("a trace");
    let own = trace.split_inclusive(' ').next().expect("a process id");
    let lines = trace.lines().filter_map(|line| line.strip_prefix(own));
    lines.map(|line| line.trim().to_owned()).collect()
}

fn count(calls: &[String], what: &str) -> usize {
    calls.iter().filter(|call| call.contains(what)).count()
}

#[test]
fn one_process_is_started_and_nothing_is_copied_for_it() {
    let calls = own_calls(&[]);
    assert_eq!(
        count(&calls, "clone(") + count(&calls, "clone3(") + count(&calls, "fork("),
        1,
        "{calls:?}"
    );
    assert_eq!(count(&calls, "CLONE_VM|CLONE_VFORK"), 1, "{calls:?}");
}

#[test]
fn a_thread_passes_signals_on_where_snapshots_may_have_to_wait() {
    let calls = own_calls(&["--interval", "60"]);
    assert_eq!(count(&calls, "CLONE_THREAD"), 1, "{calls:?}");
}

/// The command is linked statically (build.rs), unless the C library has no archive, or the builder has chosen a linker.
#[test]
fn no_library_is_loaded() {
    let calls = own_calls(&[]);
    if option_env!("WEIR_LINKED_STATICALLY").is_some() {
        let loaded = |call: &&String| call.contains(".so") && !call.contains("libweir");
        let loaded: Vec<&String> = calls.iter().filter(loaded).collect();
        assert!(loaded.is_empty(), "{loaded:?}");
    }
    assert_eq!(count(&calls, "/proc/self/maps"), 0, "{calls:?}");
}

/// While the program runs, weir waits for signals and for regions that are handed to it, in one call. What else it does is a matter of
/// the time that passes, not of its turns: looks at the thread that sleeps become rarer, and all else is done a few times a second.
/// Beside busy programs weir has fewer turns, but no more to do.
#[test]
fn little_is_done_while_the_program_waits() {
    let calls = traced_calls("trace=all", &[], &["sleep", "1"]);
    let calls: Vec<(f64, &str)> = calls.iter().map(|call| timed(call)).collect();
    let is_wait = |call: &str| call.starts_with("ppoll(") || call.starts_with("poll(");
    let last = calls.iter().rposition(|(_, call)| is_wait(call));
    let calls = &calls[..last.expect("weir waits")];
    // The first when it is 2 ms old, and each when it is half as old again.
    let looks = calls.iter().filter(|(_, call)| call.contains("/task/"));
    assert!(looks.count() <= 20, "{calls:#?}");
    let since = calls.last().expect("a call").0 - 0.5;
    let is_other = |(at_s, call): &&(f64, &str)| {
        *at_s >= since && !is_wait(call) && !call.starts_with("<... ")
    };
    let others: Vec<_> = calls.iter().filter(is_other).collect();
    // 50; there are 23 turns in half a second then.
    assert!((10..65).contains(&others.len()), "{others:#?}");
}

/// The time of a call in seconds, and the call.
fn timed(line: &str) -> (f64, &str) {
    let (at, call) = line.split_once(' ').expect("a time");
    (at.parse().expect("seconds"), call)
}

/// The kernel wakes weir on the processor where the program is about to begin: all that weir does before it waits, the program waits for.
#[test]
fn weir_waits_as_soon_as_the_program_is_started() {
    let calls = traced_calls("trace=all", &[], &["sleep", "0.1"]);
    let after_start = calls
        .iter()
        .map(|call| timed(call).1)
        .skip_while(|call| !call.contains("CLONE_VFORK"))
        .skip(1);
    let before_wait: Vec<&str> = after_start
        .take_while(|call| !call.contains("poll(") && !call.contains("rt_sigtimedwait("))
        .filter(|call| !call.starts_with("<... "))
        .collect();
    assert!(before_wait.len() <= 10, "{before_wait:#?}");
    // It lists no directory, and makes no report.
    for later in ["getdents", "CLOCK_PROCESS_CPUTIME_ID"] {
        let is_later = |call: &&&str| call.contains(later);
        assert_eq!(before_wait.iter().find(is_later), None);
    }
}
