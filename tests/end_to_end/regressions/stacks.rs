//! How many bytes of the stack a hook takes: the stack of a signal handler or a coroutine may be small.

use std::collections::BTreeMap;
use std::thread;

use weir_record::region::MAX_SLOTS;

use crate::support::{Mode, Outcome, Program, victim, weir};

/// Runs a program in several ways at the same time: most of its time, each of them waits.
fn in_ways(mode: Mode, ways: &[(&'static str, Program)]) -> Vec<(&'static str, Outcome)> {
    thread::scope(|scope| {
        let run = |(way, program): &'_ (&'static str, Program)| {
            let (way, program) = (*way, program.clone());
            scope.spawn(move || (way, program.run(mode).expect_status(0)))
        };
        let running: Vec<_> = ways.iter().map(run).collect();
        let ended = running.into_iter().map(|way| way.join());
        ended.map(|way| way.expect("the program ends")).collect()
    })
}

fn depths(outcome: &Outcome) -> BTreeMap<String, u64> {
    let text = outcome.text();
    let row = |line: &str| {
        let (name, bytes) = line.split_once(' ').expect("a name and a number");
        (name.to_owned(), bytes.parse().expect("a number"))
    };
    text.lines().map(row).collect()
}

/// How many bytes of the stack a call may take more than without Weir: in the library as users have it, and in a
/// build with less inlining.
struct Most {
    as_used: u64,
    as_tested: u64,
}

impl Most {
    fn of_this_build(&self) -> u64 {
        let folder = weir::library().parent().expect("its folder");
        if folder.ends_with("release") {
            self.as_used
        } else {
            self.as_tested
        }
    }
}

/// The limit for any call, in any way. For a coroutine that waits, measured up to the call of the runtime. For a
/// thread that empties its ring or starts a program, up to the switch to a stack of its own.
const MOST: Most = Most {
    as_used: 512,
    as_tested: 1152,
};

/// The same where the call stacks of samples are recorded, and of calls that end in a system call: most take less than the limit
/// above, but not those of stdio that fill a buffer.
const MOST_WITH_SAMPLES: Most = Most {
    as_used: 608,
    as_tested: 1152,
};

/// Fails unless the thread that made the measured calls is the one that found no slot.
#[track_caller]
fn expect_no_slot(outcome: &Outcome) {
    let process = outcome.processes()[0];
    assert_eq!(process.missed.threads_without_slot, 1);
    // All other threads read once. Entry 0 has the calls of threads without a slot.
    let of = |function: &str| {
        let threads = process.threads.iter();
        let callers = threads.filter(|thread| thread.functions.contains_key(function));
        callers.map(|thread| thread.tid).collect::<Vec<_>>()
    };
    assert_eq!(of("ppoll"), [0]);
    assert_eq!(of("read").len(), MAX_SLOTS);
}

/// Every kind of call, in each way.
#[test]
fn a_hook_takes_little_of_the_stack() {
    let with_samples = Program::new(victim("hook_stacks")).env("WEIR_STACKS", "sampled:1");
    let program = Program::new(victim("hook_stacks")).env("WEIR_STACKS", "off");
    let slotless = program.clone().arg("without a slot");
    // The C library itself takes more stack in a process with two threads: there its calls can be cancelled.
    let [alone, among_others] =
        [&program, &slotless].map(|program| depths(&program.plain().expect_status(0)));
    assert!(alone.len() > 50, "{alone:#?}");
    // In these ways the program cannot write a report.
    let sealed = program.clone().without_reports().arg("sealed");
    let without_descriptors = program.clone().without_reports().arg("without descriptors");
    let mut too_much = Vec::new();
    let ways = [
        ("ordinary", program.clone()),
        ("parted", program.clone().env("WEIR_COOP", "on")),
        ("coroutine", program.clone().arg("coroutine")),
        ("followed", program.clone().env("WEIR_FOLLOW", "cleared")),
        ("sealed", sealed.clone()),
        ("no descriptor", without_descriptors.clone()),
        (
            "coroutine, no descriptor",
            without_descriptors.clone().arg("coroutine"),
        ),
        ("no slot", slotless.clone()),
        ("parted, no slot", slotless.clone().env("WEIR_COOP", "on")),
        ("coroutine, no slot", slotless.clone().arg("coroutine")),
        ("samples", with_samples.clone()),
        (
            "samples, parted",
            with_samples.clone().env("WEIR_COOP", "on"),
        ),
        ("samples, coroutine", with_samples.clone().arg("coroutine")),
    ];
    for mode in Mode::MEASURED {
        for (way, outcome) in in_ways(mode, &ways) {
            let found = depths(&outcome);
            let kernel = if way.ends_with("no slot") {
                expect_no_slot(&outcome);
                &among_others
            } else {
                &alone
            };
            let least = if way.ends_with("descriptor") {
                8
            } else {
                kernel.len()
            };
            assert!(found.len() >= least, "{way}: {found:#?}");
            for (name, bytes) in &found {
                // A call that waits in coroutines only does not end in a function of the C library.
                let without = kernel.get(name).copied().unwrap_or(0);
                let more = bytes.saturating_sub(without);
                let most = match way.starts_with("samples") {
                    true => &MOST_WITH_SAMPLES,
                    false => &MOST,
                };
                if more > most.of_this_build() {
                    too_much.push(format!("{mode:?}, {way}: {name} takes {more} bytes"));
                }
            }
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}

/// A call whose call stack is recorded takes more. In a sandbox, what takes much of the stack cannot go to a stack of
/// Weir's own.
const MOST_WITH_CALL_STACK: Most = Most {
    as_used: 1152,
    as_tested: 1152,
};
const MOST_WITH_CALL_STACK_IN_A_SANDBOX: Most = Most {
    as_used: 1920,
    as_tested: 2304,
};

#[test]
fn a_hook_that_records_a_call_stack() {
    let program = Program::new(victim("hook_stacks"));
    let kernel = depths(&program.plain().expect_status(0));
    let program = program.env("WEIR_STACKS", "all");
    let sealed = program.clone().without_reports().arg("sealed");
    let mut too_much = Vec::new();
    let ways = [
        ("ordinary", program.clone()),
        ("parted", program.clone().env("WEIR_COOP", "on")),
        ("coroutine", program.clone().arg("coroutine")),
        ("sealed", sealed),
    ];
    for mode in Mode::MEASURED {
        for (way, outcome) in in_ways(mode, &ways) {
            let most = match way {
                "sealed" => MOST_WITH_CALL_STACK_IN_A_SANDBOX,
                _ => MOST_WITH_CALL_STACK,
            };
            let found = depths(&outcome);
            assert!(found.len() >= kernel.len(), "{way}: {found:#?}");
            for (name, bytes) in &found {
                let more = bytes.saturating_sub(kernel.get(name).copied().unwrap_or(0));
                if more > most.of_this_build() {
                    too_much.push(format!("{mode:?}, {way}: {name} takes {more} bytes"));
                }
            }
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}

/// A storm of signals, whose handler has 512 bytes beyond what the kernel needs. It allocates, reads and writes, and
/// other signals of its kind interrupt each of these.
#[test]
fn a_handler_with_512_bytes_of_a_stack() {
    let program = Program::new(victim("tiny_signal_stack"));
    program.plain().expect_status(0);
    let parted = program.clone().env("WEIR_COOP", "on");
    // Every block is a sample.
    let samples = program.clone().env("WEIR_STACKS", "sampled:1");
    for mode in Mode::MEASURED {
        program.run(mode).expect_status(0);
        parted.run(mode).expect_status(0);
        samples.run(mode).expect_status(0);
    }
}
