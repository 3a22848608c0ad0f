//! Step 1.

use crate::support::{example, run};
use std::process::Command;

#[test]
fn every_malloc_is_counted() {
    for mallocs in [0, 1, 4, 1000] {
        let outcome = example(&["1", &mallocs.to_string()]);
        // One more than the program's own: the buffer of stdout, which puts asks libc's malloc for.
        let line = format!("malloc was called {} times", mallocs + 1);
        assert_eq!(outcome.count(&line), 1, "{}", outcome.output);
        assert_eq!(outcome.count("Good"), 1, "{}", outcome.output);
    }
}

#[test]
fn number_and_name_are_the_same_example() {
    let by_number = example(&["1"]);
    let by_name = example(&["count_malloc"]);
    assert_eq!(by_number.output, by_name.output);
}

#[test]
fn all_of_them_run_one_after_the_other() {
    let outcome = example(&["all"]);
    let titles: Vec<&str> = outcome
        .output
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once(". "))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(titles, ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn without_an_example_the_choice_is_shown() {
    let outcome = run(&mut Command::new(crate::support::examples().join("run")));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.output.starts_with("usage: examples/run "));
    for name in [
        "count_malloc",
        "guard",
        "bootstrap_arena",
        "chain",
        "run_time",
        "yielding_read",
        "--c",
    ] {
        assert!(outcome.output.contains(name), "{name}");
    }
}
