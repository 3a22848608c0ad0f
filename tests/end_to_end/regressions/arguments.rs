//! The memory that a call was given may be gone before it returns, or hold something else. The program goes on; sizes and names are
//! those of the call's beginning.

use weir_report::model::Process;

use crate::support::{Mode, Outcome, Program, scratch, victim};

/// What the program asks for in the large vector, and in the one that its own call overwrites.
const LARGE: u64 = 1 << 20;
const OVERWRITTEN: u64 = 35;

fn in_every_way(call: &str, check: impl Fn(&Outcome)) {
    for becomes in ["gone", "other"] {
        let folder = scratch();
        let program = Program::new(victim("arguments_that_go"))
            .args([call, becomes])
            .in_folder(folder.path());
        let plain = program.plain().expect_status(0);
        for mode in Mode::MEASURED {
            for (setting, value) in [("WEIR_STACKS", "all"), ("WEIR_COOP", "on")] {
                let outcome = program.clone().env(setting, value).run(mode);
                check(&outcome.expect_same(&plain));
            }
        }
    }
}

fn expect_requested(call: &'static str, bytes: u64) {
    in_every_way(call, |outcome| {
        let functions = &outcome.process().functions;
        assert_eq!(functions[call].requested_bytes, bytes, "{call}");
        let overwritten = functions["readv"].requested_bytes;
        let expected = OVERWRITTEN + if call == "readv" { LARGE } else { 0 };
        assert_eq!(overwritten, expected, "{call}");
    });
}

#[test]
fn vectors() {
    expect_requested("readv", LARGE + OVERWRITTEN);
    expect_requested("writev", LARGE);
}

#[test]
fn messages() {
    expect_requested("recvmsg", LARGE);
    expect_requested("sendmsg", LARGE);
}

#[test]
fn paths() {
    for call in ["open", "openat", "fopen", "syscall"] {
        in_every_way(call, |outcome| {
            let files = &outcome.process().files.listed;
            let names = files.iter().map(|file| &*file.name);
            let names: Vec<&str> = names.filter(|name| name.ends_with("/fifo")).collect();
            assert_eq!(names.len(), 1, "{call}: {files:#?}");
            assert!(files.iter().all(|file| !file.name.contains("//")));
        });
    }
}

#[test]
fn texts() {
    in_every_way("fputs", |outcome| {
        let moved = outcome.process().functions["fputs"].moved_bytes;
        assert_eq!(moved, "a line of text\n".len() as u64);
    });
}

#[test]
fn addresses() {
    in_every_way("connect", |outcome| {
        let files = &outcome.process().files.listed;
        let connected = files.iter().filter(|file| file.name == "to listener");
        let opens: u64 = connected.map(|file| file.opens).sum();
        assert_eq!(opens, 2, "{files:#?}");
    });
}

/// How many calls `arguments_taken_away` makes.
const TAKEN_AWAY: u64 = 20_000;

/// Another thread, or process, takes them away at any moment, also between a look of Weir's and the next.
#[test]
fn arguments_that_may_go_at_any_moment() {
    let calls = [
        "open",
        "memfd_create",
        "syscall",
        "execve",
        "connect",
        "writev",
        "sendmsg",
        "sendmmsg",
        "waitid",
        "pipe",
        "socketpair",
    ];
    for call in calls {
        for how in ["unmapped", "shortened"] {
            let program = Program::new(victim("arguments_taken_away")).args([call, how]);
            program.plain().expect_status(0);
            for mode in Mode::MEASURED {
                let outcome = program.run(mode).expect_status(0);
                let processes = outcome.processes();
                let of =
                    |process: &&Process| process.functions.get(call).map_or(0, |row| row.calls);
                let counted: u64 = processes.iter().map(of).sum();
                // Those with which the program prepares.
                let others = match (call, how) {
                    ("open" | "socketpair", _) | ("memfd_create", "shortened") => 1,
                    _ => 0,
                };
                assert_eq!(counted, TAKEN_AWAY + others, "{call}, {how}");
            }
        }
    }
}
