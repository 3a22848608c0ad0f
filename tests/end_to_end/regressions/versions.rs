//! Functions with more than one symbol version: the caller gets the version that it was bound to.

use crate::support::{Mode, Program, victim};

#[test]
fn each_caller_gets_its_own_version() {
    let older = Program::new(victim("older_versions")).plain();
    let newer = Program::new(victim("newer_versions")).plain();
    assert_ne!(older.text(), newer.text(), "the versions do not differ");
    for (name, plain) in [("older_versions", older), ("newer_versions", newer)] {
        for mode in Mode::MEASURED {
            Program::new(victim(name)).run(mode).expect_same(&plain);
        }
    }
}

/// What the caller was bound to is read from its symbols. Its hash table, which leads to those that it defines, may have none, or may
/// be of the older form.
#[test]
fn whatever_hash_table_the_caller_has() {
    for name in ["older_version_alone", "older_version_with_old_table"] {
        let plain = Program::new(victim(name)).plain();
        assert_eq!(plain.text(), "destructor\n", "{name}: the older version");
        for mode in Mode::MEASURED {
            Program::new(victim(name)).run(mode).expect_same(&plain);
        }
    }
}

/// A library that was linked without the C library needs its functions in no version, and gets the oldest.
#[test]
fn a_caller_without_versions_gets_the_oldest() {
    let library = victim("waits_without_version");
    let program = || Program::new(victim("calls_without_version")).arg(&library);
    let plain = program().plain().expect_status(0);
    let said = "library: 110, a pointer\nprogram: 110, a state\n".repeat(3);
    assert_eq!(plain.text(), said);
    for mode in Mode::MEASURED {
        program().run(mode).expect_same(&plain);
    }
}
