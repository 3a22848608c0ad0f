//! Programs that replace what a library takes for granted: the allocator, its lock, and the C library's names.

use std::collections::BTreeSet;

use crate::support::{Mode, Program, victim, weir};

/// All names that the dynamic linker has to find for the library, and why. A program may define any other name.
const IMPORTS: [(&str, &str); 10] = [
    (
        "__errno_location",
        "errno, which every failed call has to set",
    ),
    ("_r_debug", "the list of loaded objects; a variable"),
    (
        "environ",
        "the environment that execv passes on; a variable",
    ),
    (
        "__environ",
        "the same by its other name, as the GNU linker has it; on AArch64",
    ),
    ("stdin", "the stream of getchar and its kin; a variable"),
    ("stdout", "the stream of putchar and its kin; a variable"),
    (
        "__cxa_finalize",
        "the compiler's start files, when the library is unloaded, which it never is",
    ),
    (
        "__gmon_start__",
        "the compiler's start files; may be missing",
    ),
    (
        "_ITM_registerTMCloneTable",
        "the compiler's start files; may be missing",
    ),
    (
        "_ITM_deregisterTMCloneTable",
        "the compiler's start files; may be missing",
    ),
];

#[test]
fn the_library_asks_the_dynamic_linker_for_next_to_nothing() {
    let output = weir::binutils("nm")
        .args(["--dynamic", "--undefined-only"])
        .arg(weir::library())
        .output()
        .expect("nm runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let found: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap_or(name))
        .collect();
    let known: BTreeSet<&str> = IMPORTS.iter().map(|(name, _)| *name).collect();
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "without a reason: {unknown:?}");
}

#[track_caller]
fn expect_same(name: &str) {
    let program = Program::new(victim(name));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// No call of ours reaches a function of the program's.
#[test]
fn a_program_with_the_c_library_s_names() {
    expect_same("owns_names");
}

/// The first call comes from inside an allocator that holds its lock.
#[test]
fn a_program_whose_allocator_starts_us() {
    expect_same("starts_in_malloc");
}

/// Functions for blocks that a program's own allocator does not define: without Weir, they work on its blocks, or are not there.
#[test]
fn a_program_whose_allocator_lacks_functions() {
    let program = Program::new(victim("own_heap_partly"));
    let plain = program.plain().expect_status(7);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let process = outcome.process();
        let of = |name: &str| {
            let function = &process.functions[name];
            (function.calls, function.errors, function.requested_bytes)
        };
        let requested = 30 + 10_000 + (1 << 30) + 100;
        assert_eq!(of("reallocarray"), (5, 2, requested), "{mode:?}");
        // The C library has none; the program finds ours.
        assert_eq!(of("free_sized"), (1, 0, 10_000), "{mode:?}");
        assert_eq!(of("free_aligned_sized"), (1, 0, 10), "{mode:?}");
        assert_ne!(process.heap.not_known, None, "{mode:?}");
    }
}
