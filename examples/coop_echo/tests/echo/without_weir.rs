//! Each call that blocks holds the thread; the program says so, and ends.

use crate::{coop_echo, run};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn one_is_served_after_the_other() {
    let begun = Instant::now();
    let said = run(coop_echo()
        .args(["--connections", "1000", "--messages", "2"])
        .args(["--pause-ms", "100", "--patience", "1"]));
    assert!(said.well, "{}", said.text);
    assert!(begun.elapsed() < Duration::from_secs(30));
    said.says("Weir is not here");
    assert_eq!(said.number_before(" at the same time"), 1.0);
    let served = said.number_before(" connections on one thread");
    assert!((1.0..=6.0).contains(&served), "{}", said.text);
    said.says("nothing ticks");
}

#[test]
fn few_who_do_not_think_are_all_served() {
    let said = run(coop_echo()
        .args(["--connections", "20", "--messages", "3"])
        .args(["--pause-ms", "0", "--patience", "60"]));
    assert!(said.well, "{}", said.text);
    said.says("20 of 20 have all their answers");
    assert_eq!(said.number_before(" answers in"), 60.0);
}

#[test]
fn a_hard_limit_that_is_too_low_is_told() {
    let program = env!("CARGO_BIN_EXE_coop_echo");
    let limited = format!("ulimit -n 100 && exec '{program}' --connections 1000");
    let said = run(Command::new("sh").args(["-c", &limited]));
    assert!(!said.well);
    said.says("1000 connections take 1032 descriptors, and this process may have 100");
}

#[test]
fn there_is_nothing_to_compare() {
    let said = run(coop_echo().arg("compare"));
    assert!(!said.well);
    said.says("weir run -- coop_echo compare");
}
