//! The memory that a call was given may be gone before it returns, or hold something else. The program goes on; sizes and names are
//! those of the call's beginning.

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
fn addresses() {
    in_every_way("connect", |outcome| {
        let files = &outcome.process().files.listed;
        let connected = files.iter().filter(|file| file.name == "to listener");
        let opens: u64 = connected.map(|file| file.opens).sum();
        assert_eq!(opens, 2, "{files:#?}");
    });
}
