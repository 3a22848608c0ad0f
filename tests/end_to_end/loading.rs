//! Code that is there before us, after us, and for a while.

use crate::support::{Account, Mode, Program, victim};

/// Calls before main, before any constructor, and in the constructor of a library.
#[test]
fn calls_before_our_constructor() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("early")).run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

/// Calls in atexit handlers, and in destructors after them.
#[test]
fn calls_after_main() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("last_words"))
            .run(mode)
            .expect_status(4);
        assert_eq!(outcome.complaints(), "");
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

#[test]
fn libraries_come_and_go() {
    for deep in [false, true] {
        let mut program = Program::new(victim("loads_plugins")).arg(victim("plugin"));
        if deep {
            program = program.arg("deep");
        }
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_status(0);
            assert_eq!(outcome.complaints(), "");
            assert!(outcome.text().starts_with("fifty times\n"));
            // The dynamic linker allocates for itself; it calls neither of these.
            let account = Account::of(&outcome.text());
            let process = outcome.process();
            for name in ["aligned_alloc", "pwrite"] {
                let calls = process
                    .functions
                    .get(name)
                    .map_or(0, |function| function.calls);
                assert_eq!(calls, account.count(name), "{name}, deep: {deep}");
            }
        }
    }
}
