//! stdio: the same text with and without Weir, and its system calls.

use crate::support::{Mode, Program, victim};
use crate::witnesses::expect_as_strace;

/// More arguments than registers, of all types.
#[test]
fn formats_give_the_same() {
    let input = "1 2 3 4 5 6 7 8 .1 .2 .3 .4 .5 .6 .7 .8 .9 1.0 word abc 1.25\n\
                 11 12 13 14 15 16 17 18 1.1 1.2 1.3 1.4 1.5 1.6 1.7 1.8 1.9 2.0 other cba 2.5\n\
                 1 2 x";
    let program = Program::new(victim("formats")).stdin(input);
    let plain = program.plain().expect_status(0);
    assert!(plain.text().contains("mixed 1 1 2 2 3 3 4 4 5 5 6 6\n"));
    assert!(
        plain
            .text()
            .contains("1: 21 at 78: 11 16 18, 1.1 1.9 2, other cba 2.5\n")
    );
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// `exactness` compares the calls of stdio with the victims' own account. This test compares the system calls of
/// stdio.
#[test]
fn system_calls_are_those_that_strace_saw() {
    expect_as_strace("every function of stdio");
    expect_as_strace("every function that prints or scans");
    expect_as_strace("every function for wide characters");
}

/// A table of functions is changed by one thread at a time: the page is read-only as soon as one has finished.
#[test]
fn threads_may_open_their_first_commands_in_any_order() {
    let program = || Program::new(victim("first_popens"));
    assert_eq!(program().plain().expect_status(0).text(), "0 orders\n");
    for mode in Mode::MEASURED {
        let outcome = program().run(mode).expect_status(0);
        let said = outcome.text();
        let orders = said.strip_suffix(" orders\n").map(str::parse::<u32>);
        assert!(
            orders.is_some_and(|orders| orders.is_ok_and(|orders| orders > 20)),
            "{said}"
        );
    }
}
