//! Each call that blocks lets other coroutines run.

use std::process::Command;

use crate::built::built;
use crate::{Said, run};

fn under_weir(arguments: &[&str]) -> Said {
    let reports = tempfile::tempdir().expect("a folder");
    run(Command::new(built().join("weir"))
        .args(["run", "--"])
        .arg(env!("CARGO_BIN_EXE_coop_echo"))
        .args(arguments)
        .current_dir(&reports))
}

#[test]
fn all_are_served_at_the_same_time() {
    let said = under_weir(&[
        "--connections",
        "500",
        "--messages",
        "4",
        "--pause-ms",
        "500",
    ]);
    assert!(said.well, "{}", said.text);
    said.says("Weir is here");
    said.says("500 of 500 have all their answers");
    assert_eq!(said.number_before(" at the same time"), 500.0);
    assert_eq!(said.number_before(" answers in"), 2000.0);
    // One after the other would take 1000 s.
    let seconds = said.number_before(" s, ");
    assert!((2.0..20.0).contains(&seconds), "{}", said.text);
    // Nobody sleeps as long as a client thinks, for want of the thread.
    assert!(
        said.number_before(" ms late at worst") < 500.0,
        "{}",
        said.text
    );
}

#[test]
fn is_compared() {
    let said = under_weir(&["compare", "--rounds", "1", "--seconds", "0.2"]);
    assert!(said.well, "{}", said.text);
    said.says("coroutines, under Weir");
    said.says("times what epoll without Weir answers");
}
