//! Every counter of every function equals the victim's own account.

use std::collections::BTreeSet;

use weir_record::functions::Function;

use crate::support::witness::expect_exact;
use crate::support::{Account, Mode, Program, victim};

#[test]
fn allocation_functions() {
    expect_exact("allocation_calls");
}

#[test]
fn file_functions() {
    expect_exact("file_calls");
}

/// The same as [`expect_exact`], for a victim for which the C library allocates or makes a child process.
#[track_caller]
fn expect_own_exact(name: &str) {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim(name)).run(mode).expect_status(0);
        let account = Account::of(&outcome.text());
        let processes = outcome.processes();
        let its = processes.iter().find(|image| image.pid == account.pid);
        account.expect_own_calls(its.expect("the victim is in the report"));
    }
}

#[test]
fn socket_functions() {
    expect_exact("socket_calls");
}

#[test]
fn descriptor_functions() {
    expect_exact("descriptor_calls");
}

#[test]
fn waiting_functions() {
    expect_exact("wait_calls");
}

/// A thread starts, for which the C library allocates.
#[test]
fn functions_that_take_locks() {
    expect_own_exact("lock_calls");
}

/// Threads start, for which the C library allocates.
#[test]
fn functions_that_wait_for_threads() {
    expect_own_exact("thread_wait_calls");
}

#[test]
fn memory_map_functions() {
    expect_exact("map_calls");
}

#[test]
fn metadata_functions() {
    expect_own_exact("metadata_calls");
}

#[test]
fn asynchronous_functions() {
    expect_own_exact("aio_calls");
}

#[test]
fn functions_of_signals_and_names() {
    expect_own_exact("signal_calls");
}

#[test]
fn functions_that_change_what_a_process_is() {
    expect_exact("identity_calls");
}

#[test]
fn stdio_functions() {
    expect_own_exact("stdio_calls");
    expect_own_exact("formatted_calls");
    expect_own_exact("wide_calls");
}

#[test]
fn fortified_calls() {
    expect_exact("fortified");
}

/// The victims whose accounts are compared call every function of the table that this C library has.
#[test]
fn no_function_is_left_out() {
    let mut called = BTreeSet::new();
    let child = victim("ways_to_exit");
    let child = child.to_str().expect("a path in UTF-8");
    for (name, args) in [
        ("allocation_calls", &[][..]),
        ("file_calls", &[]),
        ("descriptor_calls", &[]),
        ("socket_calls", &[]),
        ("wait_calls", &[]),
        ("lock_calls", &[]),
        ("thread_wait_calls", &[]),
        ("map_calls", &[]),
        ("metadata_calls", &[]),
        ("stdio_calls", &[]),
        ("formatted_calls", &[]),
        ("wide_calls", &[]),
        ("aio_calls", &[]),
        ("signal_calls", &[]),
        ("spawns", &[child]),
        ("ways_to_exit", &["_exit"]),
        ("ways_to_exit", &["_Exit"]),
        ("ways_to_exit", &["quick_exit"]),
        ("ways_to_exec", &[]),
        ("fork_without_handlers", &[]),
        ("forks", &[]),
        ("eight_threads", &[]),
        ("identity_calls", &[]),
    ] {
        let program = victim(name);
        let folder = program
            .parent()
            .expect("victims are in a folder")
            .to_owned();
        let outcome = Program::new(program).args(args).env("PATH", folder).plain();
        for account in Account::all(&outcome.text()) {
            called.extend(account.calls.into_keys());
        }
    }
    // The functions that stdio calls by its table have no symbol. A test with strace compares them for the same
    // victims.
    let symbols = Function::ALL.iter().filter(|function| function.is_symbol());
    for name in symbols.map(|function| function.name()) {
        let may_lack =
            ["free_sized", "free_aligned_sized"].contains(&name) || name.starts_with("__isoc23_");
        assert!(called.contains(name) || may_lack, "no victim calls {name}");
    }
}
