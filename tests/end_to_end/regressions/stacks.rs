//! How much of a stack a hook takes: a signal handler's may be small, and a coroutine's too.

use std::collections::BTreeMap;

use crate::support::{Mode, Outcome, Program, victim, weir};

fn depths(outcome: Outcome) -> BTreeMap<String, u64> {
    let text = outcome.expect_status(0).text();
    let row = |line: &str| {
        let (name, bytes) = line.split_once(' ').expect("a name and a number");
        (name.to_owned(), bytes.parse().expect("a number"))
    };
    text.lines().map(row).collect()
}

/// What a call may take more than without Weir: where the library is built as users have it, and where less is inlined.
struct Most {
    as_used: u64,
    as_tested: u64,
}

const MOST: Most = Most {
    as_used: 512,
    as_tested: 768,
};
/// What gives a socket its address: its name is made of that, on top of the call.
const ADDRESSING: [&str; 2] = ["bind", "connect_and_accept"];
/// As above.
const MOST_OF_ADDRESSING: Most = Most {
    as_used: 704,
    as_tested: 896,
};
/// What is made in two parts has its time, and what it is about, below the call.
const MOST_IN_PARTS: Most = Most {
    as_used: 832,
    as_tested: 1024,
};
/// A wait by the runtime is deeper by what the runtime is asked with, and by what it takes itself.
const MOST_IN_COROUTINES: Most = Most {
    as_used: 1216,
    as_tested: 1216,
};

/// Of every kind of call, each way.
#[test]
fn a_hook_takes_little_of_the_stack() {
    let program = Program::new(victim("hook_stacks"));
    let kernel = depths(program.plain());
    assert!(kernel.len() > 50, "{kernel:#?}");
    let folder = weir::library().parent().expect("its folder");
    let is_as_users_have_it = folder.ends_with("release");
    for (way, program) in [
        ("ordinary", program.clone()),
        ("parted", program.clone().env("WEIR_COOP", "on")),
        ("coroutine", program.clone().arg("x")),
    ] {
        let found = depths(program.run(Mode::Run));
        assert!(found.len() >= kernel.len(), "{way}: {found:#?}");
        for (name, bytes) in &found {
            // What waits in coroutines only is a system call at its heart.
            let without = kernel.get(name).copied().unwrap_or(0);
            let Most { as_used, as_tested } = match way {
                "coroutine" => MOST_IN_COROUTINES,
                "parted" => MOST_IN_PARTS,
                _ if ADDRESSING.contains(&name.as_str()) => MOST_OF_ADDRESSING,
                _ => MOST,
            };
            let most = if is_as_users_have_it {
                as_used
            } else {
                as_tested
            };
            let more = bytes.saturating_sub(without);
            assert!(more <= most, "{way}: {name} takes {more} bytes");
        }
    }
}

/// A storm of signals, whose handler has 512 bytes beside what the kernel needs: it allocates, reads and writes, each of
/// which is interrupted by others of its kind.
#[test]
fn a_handler_with_512_bytes_of_a_stack() {
    let program = Program::new(victim("tiny_signal_stack"));
    program.plain().expect_status(0);
    let parted = program.clone().env("WEIR_COOP", "on");
    for mode in Mode::MEASURED {
        program.run(mode).expect_status(0);
        parted.run(mode).expect_status(0);
    }
}
