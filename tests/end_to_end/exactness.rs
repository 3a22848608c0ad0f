//! Every counter of every function equals what the victim says that it did.

use std::collections::BTreeSet;

use weir_record::functions::{Function, Role};

use crate::support::{Account, Mode, Program, victim};

/// Runs a victim that gives one account, and compares every counter.
#[track_caller]
fn expect_exact(name: &str) {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim(name)).run(mode).expect_status(0);
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

#[test]
fn allocation_functions() {
    expect_exact("allocation_calls");
}

#[test]
fn file_functions() {
    expect_exact("file_calls");
}

#[test]
fn fortified_calls() {
    expect_exact("fortified");
}

/// Every function of the table is called by one of the victims whose accounts are compared, unless
/// this C library does not have it.
#[test]
fn no_function_is_left_out() {
    let mut called = BTreeSet::new();
    for (name, args) in [
        ("allocation_calls", &[][..]),
        ("file_calls", &[]),
        ("ways_to_exit", &["_exit"]),
        ("ways_to_exit", &["_Exit"]),
        ("ways_to_exit", &["quick_exit"]),
        ("ways_to_exec", &[]),
        ("fork_without_handlers", &[]),
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
    let c23 = ["free_sized", "free_aligned_sized"];
    for function in Function::ALL {
        let name = function.name();
        let may_lack = function.row().role == Role::Free && c23.contains(&name);
        assert!(called.contains(name) || may_lack, "no victim calls {name}");
    }
}
