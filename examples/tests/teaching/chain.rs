//! Step 4.

use crate::support::example;

/// What glibc's `rand` gives first where nobody called `srand`.
const NUMBER: &str = "1804289383";

/// What is printed where `outer` is preloaded before `inner`.
fn chain(outer: &str, inner: &str) -> Vec<String> {
    vec![
        format!("{outer}: rand() called, next is lib{inner}.so"),
        format!("{inner}: rand() called, next is libc.so.6"),
        format!("{inner}: rand() returns {NUMBER}"),
        format!("{outer}: rand() returns {NUMBER}"),
        format!("Good: the number is {NUMBER}"),
    ]
}

#[test]
fn the_order_of_ld_preload_is_the_order_of_the_chain() {
    let outcome = example(&["chain"]);
    assert_eq!(outcome.part("red first")[1..], chain("red", "blue"));
    assert_eq!(outcome.part("blue first")[1..], chain("blue", "red"));
}

#[test]
fn behind_one_that_does_not_chain_nobody_is_called() {
    let outcome = example(&["chain"]);
    assert_eq!(
        outcome.part("does not chain")[1..],
        [
            "red: rand() called, next is libdead_end.so",
            "dead_end: rand() returns 4, and asks nobody",
            "red: rand() returns 4",
            "Good: the number is 4",
        ]
    );
}
