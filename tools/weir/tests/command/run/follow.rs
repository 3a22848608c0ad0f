//! Programs that are started with an environment of their own.

use super::{Place, silent, text};

#[test]
fn what_has_a_cleared_environment_is_traced_where_that_is_asked_for() {
    let program = ["env", "-i", "/bin/cat", "/dev/null"];
    let place = Place::new();
    silent(&place.run(&[], &program).output().expect("ended"));
    let report = place.report();
    assert_eq!(report.processes.len(), 1);
    assert_eq!(report.missed.untraced.len(), 1);
    assert_eq!(report.missed.untraced[0].program, "/bin/cat");

    let options = ["--follow-cleared"];
    silent(&place.run(&options, &program).output().expect("ended"));
    let report = place.report();
    assert_eq!(report.processes.len(), 2);
    assert_eq!(report.processes[1].command[0], "/bin/cat");
    assert_eq!(report.missed.untraced, []);
    assert_eq!(report.missed.notes, [""; 0]);
}

#[test]
fn the_summary_tells_what_was_not_traced_and_how_it_would_be() {
    let place = Place::new();
    let line = ["run", "--out", "report.json", "env", "-i", "/bin/true"];
    let output = place.settle(super::weir(line)).output().expect("ended");
    let summary = text(&output.stderr);
    let told = summary
        .lines()
        .find(|line| line.starts_with("weir: not traced: process "));
    let told = told.unwrap_or_else(|| panic!("{summary}"));
    let reason =
        "(/bin/true): it was started without Weir's library in LD_PRELOAD (see --follow-cleared)";
    assert!(told.ends_with(reason), "{told}");
}
