//! What `weir run` itself does for a short program, by strace: its cost in calls, which does not depend on the load of the machine.

use std::fs;
use std::process::Command;

use super::{Place, weir};

/// The calls of weir's own process around a program that does nothing; those with which it loads libraries and starts
/// processes and threads.
fn own_calls(options: &[&str]) -> Vec<String> {
    traced_calls("trace=openat,clone,clone3,fork,vfork", options, &["true"])
}

/// The calls of weir's own process around a program, of those that strace is to trace.
fn traced_calls(which: &str, options: &[&str], program: &[&str]) -> Vec<String> {
    let place = Place::new();
    let head = ["run", "--quiet", "--out", "report.json"];
    let traced = weir(head.iter().chain(options).chain(&["--"]).chain(program));
    let mut strace = place.settle(Command::new("strace"));
    strace.args(["-f", "-o", "trace", "-e", which]);
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

/// While the program runs, weir waits for signals and for regions that are handed to it, in one call. Of other calls there is less
/// than one for each time, but for looks at the thread that sleeps, which become rarer.
#[test]
fn little_is_done_while_the_program_waits() {
    let calls = traced_calls("trace=all", &[], &["sleep", "0.5"]);
    let is_wait = |call: &&String| call.starts_with("ppoll(") || call.starts_with("poll(");
    // Not at first, when it takes over the first region.
    let later = &calls[calls.len() / 2..];
    let last = later.iter().rposition(|call| is_wait(&call));
    let later = &later[..last.expect("weir waits")];
    let waits = later.iter().filter(is_wait).count();
    assert!(waits > 5, "{calls:#?}");
    let is_other = |call: &&String| !is_wait(call) && !call.starts_with("<... ");
    let others: Vec<&String> = later.iter().filter(is_other).collect();
    let is_look = |call: &&&String| call.contains("/task/");
    let looks = others.iter().filter(is_look).count();
    assert!(looks * 4 < waits, "{waits}: {others:#?}");
    // Each opens a file, reads and closes it.
    assert!(others.len() < waits + 3 * looks, "{waits}: {others:#?}");
}

/// The kernel wakes weir on the processor where the program is about to begin: all that weir does before it waits, the program waits for.
#[test]
fn weir_waits_as_soon_as_the_program_is_started() {
    let calls = traced_calls("trace=all", &[], &["sleep", "0.1"]);
    let after_start = calls
        .iter()
        .skip_while(|call| !call.contains("CLONE_VFORK"))
        .skip(1);
    let before_wait: Vec<&String> = after_start
        .take_while(|call| !call.contains("poll(") && !call.contains("rt_sigtimedwait("))
        .filter(|call| !call.starts_with("<... "))
        .collect();
    assert!(before_wait.len() <= 10, "{before_wait:#?}");
    // It lists no directory, and makes no report.
    for later in ["getdents", "CLOCK_PROCESS_CPUTIME_ID"] {
        let is_later = |call: &&&String| call.contains(later);
        assert_eq!(before_wait.iter().find(is_later), None);
    }
}
