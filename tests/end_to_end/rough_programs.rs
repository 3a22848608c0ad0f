//! Programs that change their own process in ways that must not disturb Weir.

use crate::support::{Account, Mode, Outcome, Program, scratch, victim};

fn rough(what: &str) -> Program {
    Program::new(victim("rough")).arg(what)
}

#[track_caller]
fn expect_unharmed(outcome: &Outcome, status: i32) {
    assert_eq!(
        outcome.status.code(),
        Some(status),
        "{}: {}",
        outcome.status,
        outcome.complaints()
    );
    assert!(
        outcome.text().starts_with("still here\n"),
        "{}",
        outcome.text()
    );
    assert_eq!(outcome.complaints(), "");
}

/// The program is unharmed in both modes, and both reports are right.
#[track_caller]
fn expect_exact(what: &str) {
    expect_unharmed(&rough(what).plain(), 6);
    for mode in Mode::MEASURED {
        let outcome = rough(what).run(mode);
        expect_unharmed(&outcome, 6);
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

/// The program is unharmed in both modes. `weir run`, which is outside the program, has the right report. The bare
/// library has to open a file in the program, so it may have no report.
#[track_caller]
fn expect_exact_from_outside(what: &str) {
    expect_unharmed(&rough(what).plain(), 6);
    expect_unharmed(&rough(what).without_reports().run(Mode::Bare), 6);
    let outcome = rough(what).run(Mode::Run);
    expect_unharmed(&outcome, 6);
    Account::of(&outcome.text()).expect_in(outcome.process());
}

#[test]
fn closes_every_descriptor() {
    expect_exact("closes_all");
    expect_exact("close_range");
}

#[test]
fn puts_its_own_in_place_of_every_descriptor() {
    expect_exact("replaces_all");
}

/// The program's new files have the numbers of its standard streams. No message of ours may be written to them.
#[test]
fn closes_stdin_and_stderr() {
    let folder = scratch();
    for mode in [Mode::Plain, Mode::Bare, Mode::Run] {
        let outcome = rough("closes_standard").in_folder(folder.path()).run(mode);
        expect_unharmed(&outcome, 6);
        for name in ["first", "second"] {
            let content = std::fs::read(folder.path().join(name)).expect("the program made it");
            assert_eq!(String::from_utf8_lossy(&content), "", "{mode:?}: {name}");
        }
        if mode != Mode::Plain {
            Account::of(&outcome.text()).expect_in(outcome.process());
        }
    }
}

#[test]
fn empties_its_environment() {
    expect_exact("clears_environment");
    expect_exact("no_environment");
    expect_exact("overwrites_environment");
    expect_exact("overwrites_arguments");
}

/// The report is in the folder in which the program was started.
#[test]
fn changes_the_working_directory() {
    expect_exact("changes_folder");
}

#[test]
fn changes_the_root_directory() {
    expect_exact_from_outside("changes_root");
}

#[test]
fn gives_up_its_privileges() {
    expect_exact_from_outside("changes_user");
}

#[test]
fn limits_itself() {
    expect_exact_from_outside("limits_descriptors");
    expect_exact_from_outside("limits_files");
    expect_exact_from_outside("limits_memory");
    expect_exact_from_outside("limits_processes");
}

#[test]
fn ignores_or_blocks_every_signal() {
    expect_exact("ignores_signals");
    expect_exact("blocks_signals");
}

#[test]
fn becomes_a_daemon() {
    for mode in Mode::MEASURED {
        let outcome = rough("daemon").without_reports().run(mode);
        expect_unharmed(&outcome, 0);
    }
    let outcome = rough("daemon").run(Mode::Run);
    let account = Account::of(&outcome.text());
    let daemon = outcome
        .processes()
        .into_iter()
        .find(|image| image.pid == account.pid);
    account.expect_in(daemon.expect("the daemon is in the report"));
}

/// A seccomp filter ends the process at any system call that the program itself does not need. Under `weir run` we
/// make no such call.
#[test]
fn forbids_itself_most_system_calls() {
    expect_unharmed(&rough("sandbox").plain(), 6);
    let outcome = rough("sandbox").run(Mode::Run);
    expect_unharmed(&outcome, 6);
    Account::of(&outcome.text()).expect_in(outcome.process());
}
