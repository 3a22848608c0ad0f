//! Step 2.

use crate::support::{assert_overflows, directory, example};

#[test]
fn without_a_guard_the_stack_overflows() {
    let directory = directory("guard");
    assert_overflows(&directory, "./libunguarded.so", "./good", "malloc: entered");
}

#[test]
fn the_run_says_that_the_crash_is_meant() {
    let outcome = example(&["guard"]);
    let part = outcome.part("without a guard");
    let [_, entered, killed] = part.as_slice() else {
        panic!("{part:?}");
    };
    let entered = entered
        .trim()
        .strip_suffix(" malloc: entered")
        .expect("a count");
    assert!(entered.parse::<u32>().expect("a number") > 100);
    assert!(killed.starts_with("killed by SIGSEGV, as it was meant to be"));
}

#[test]
fn with_a_guard_the_program_and_the_hook_are_told_apart() {
    let outcome = example(&["guard"]);
    let part = outcome.part("and with one");
    for line in [
        "malloc(10)",
        "malloc(20)",
        "malloc(30)",
        "malloc(40)",
        "Good",
    ] {
        assert_eq!(
            part.iter().filter(|&&each| each == line).count(),
            1,
            "{line}: {part:?}"
        );
    }
    let printed = part
        .iter()
        .filter(|line| line.starts_with("malloc("))
        .count();
    assert_eq!(printed, 5, "the fifth is the buffer of stdout: {part:?}");
    // Each line is one String, and each String one malloc: the text fits what format! asks first.
    let last = "malloc was called 5 times by the program, 5 times by this hook";
    assert_eq!(part.last(), Some(&last));
}
