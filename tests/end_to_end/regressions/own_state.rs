//! What is a program's own, and changes if somebody in the same process is not careful: how it calculates with floating point,
//! and its locks on files.

use crate::support::{Mode, Program, scratch, victim};

/// The program says that nothing has changed, as it does without Weir.
#[track_caller]
fn keeps(what: &str, settings: &[&[(&str, &str)]]) {
    let folder = scratch();
    let keeping = || {
        Program::new(victim("keeps_its_state"))
            .arg(what)
            .in_folder(folder.path())
    };
    let plain = keeping().plain().expect_status(0);
    let said = plain.text();
    assert!(
        !said.contains(" changed") && !said.contains(": 0"),
        "{said}"
    );
    for mode in Mode::MEASURED {
        for setting in settings {
            let with = |program: Program, (name, value): &(&str, &str)| program.env(name, value);
            let program = setting.iter().fold(keeping(), with);
            program.run(mode).expect_same(&plain);
        }
    }
}

const SETTINGS: &[&[(&str, &str)]] = &[
    &[],
    &[("WEIR_STACKS", "sampled:16K")],
    &[("WEIR_STACKS", "all"), ("WEIR_TIME", "all")],
    &[("WEIR_STACKS", "off"), ("WEIR_TIME", "off")],
    &[("WEIR_COOP", "on")],
    &[("WEIR_INTERVAL", "0.01")],
];

/// Every exception is a signal that ends the program, and numbers are rounded upwards.
#[test]
fn how_it_calculates() {
    keeps("floating", SETTINGS);
}

#[test]
fn which_exceptions_it_has_had() {
    keeps("flags", SETTINGS);
}

/// The kernel releases a process's locks on a file when the process closes any descriptor of it.
#[test]
fn its_locks_on_what_it_executes() {
    keeps("locks", &[&[], &[("WEIR_STACKS", "all")]]);
}
