//! What the page says of traps, tried: programs that escape an interposer or disturb it.

use crate::support::{Outcome, compile, directory, preload};
use std::path::Path;

/// Runs one of the traps of `traps.c` under a library.
fn trap(library: &str, arguments: &str) -> Outcome {
    let libraries = directory("build");
    let scratch = tempfile(&format!("traps-{}", arguments.replace(' ', "-")));
    compile("traps.c", &scratch, &[]);
    let program = format!("'{}' {arguments}", scratch.display());
    let outcome = preload(&libraries, library, &program, 8192);
    assert_eq!(outcome.code, Some(0), "{arguments}:\n{}", outcome.output);
    outcome
}

fn tempfile(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// How many calls of malloc count_malloc saw.
fn counted(outcome: &Outcome) -> u32 {
    outcome
        .output
        .lines()
        .find_map(|line| {
            line.strip_prefix("malloc was called ")?
                .strip_suffix(" times")
        })
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("no count in:\n{}", outcome.output))
}

#[test]
fn dlsym_allocates_only_where_it_fails() {
    assert_eq!(counted(&trap("./libcount_malloc.so", "symbol-found")), 0);
    assert!(counted(&trap("./libcount_malloc.so", "symbol-missing")) > 0);
}

#[test]
fn a_hook_that_looks_up_on_each_call_wipes_the_programs_error() {
    let wiped = trap("./libcount_malloc.so", "pending-error");
    assert!(
        wiped.output.contains("the error is gone"),
        "{}",
        wiped.output
    );
    let kept = trap("./libguarded.so", "pending-error");
    assert!(
        kept.output.contains("undefined symbol: no_such_function"),
        "{}",
        kept.output
    );
}

#[test]
fn a_function_from_libcs_own_handle_is_not_ours() {
    assert_eq!(counted(&trap("./libcount_malloc.so", "default-handle")), 50);
    // What is left is dlopen's own.
    assert!(counted(&trap("./libcount_malloc.so", "own-handle")) < 50);
}

#[test]
fn a_hidden_version_is_found_by_dlvsym_alone() {
    let version = if cfg!(target_arch = "x86_64") {
        "GLIBC_2.2.5"
    } else {
        "GLIBC_2.17"
    };
    trap("./libcount_malloc.so", &format!("hidden-version {version}"));
}

#[test]
fn a_static_program_is_not_reached() {
    let program = tempfile("static-good");
    compile("../../01-count-malloc/good.c", &program, &["-static"]);
    let program = format!("'{}'", program.display());
    let outcome = preload(&directory("build"), "./libcount_malloc.so", &program, 8192);
    assert_eq!(outcome.output, "Good\n");
}
