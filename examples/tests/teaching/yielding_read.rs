//! Step 6.

use crate::built::built;
use crate::support::{compile, directory, example, run};
use std::path::Path;
use std::process::Command;

/// What the program says of plain reads, from the second line on.
const PLAIN: [&str; 7] = [
    r#"message: "Good""#,
    r#"late: "Good""#,
    r#"signal: "Good""#,
    r#"copy: "Good""#,
    r#"other process: "Good""#,
    "reused number: EAGAIN",
    "errno after it: 0",
];

#[test]
fn a_plain_read_waits_as_long_as_it_takes_and_holds_the_thread() {
    let outcome = example(&["yielding_read"]);
    let part = outcome.part("$ ./waiter");
    assert_eq!(part[0], "first: dlsym allocated nothing");
    assert_eq!(part[1..], PLAIN);
}

#[test]
fn the_hooked_read_lets_other_work_run_and_each_fault_shows() {
    let outcome = example(&["yielding_read"]);
    assert_eq!(
        outcome.part("a read that waits by a scheduler")[1..],
        [
            "first: dlsym allocated nothing",
            r#"message: "Good", other work ran"#,
            "late: EAGAIN, other work ran",
            "signal: EAGAIN, other work ran",
            "copy: EAGAIN",
            "other process: EAGAIN",
            "reused number: EAGAIN, other work ran",
            "errno after it: No such file or directory",
        ]
    );
    assert_eq!(
        outcome.part("its first call")[1..],
        ["first: dlsym allocated for read"]
    );
}

/// What the page says of Weir: the same program under it, with a `dlsym` that allocates behind it.
#[test]
fn under_weir_other_work_runs_and_the_results_are_those_of_plain_reads() {
    let libraries = directory("build");
    let waiter = Path::new(env!("CARGO_TARGET_TMPDIR")).join("waiter-under-weir");
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../include");
    compile("../../06-yielding-read/waiter.c", &waiter, &[include]);
    let reports = tempfile::tempdir().expect("a folder");
    let outcome = run(Command::new(built().join("weir"))
        .args(["run", "--"])
        .arg(waiter)
        .env("LD_PRELOAD", libraries.join("liballocating_dlsym.so"))
        .current_dir(&reports));
    assert_eq!(outcome.code, Some(0), "{}", outcome.output);

    // Behind what the program says is the report.
    let said: Vec<&str> = outcome.output.lines().take(1 + PLAIN.len()).collect();
    assert_eq!(said.len(), 1 + PLAIN.len(), "{}", outcome.output);
    assert_eq!(said[0], "first: dlsym allocated nothing");
    for (plain, under_weir) in PLAIN.iter().zip(&said[1..]) {
        // The other process makes a system call of its own, and the last two are not to wait, or tell another thing.
        let yields = ["message", "late", "signal", "copy"]
            .iter()
            .any(|name| plain.starts_with(name));
        let suffix = if yields { ", other work ran" } else { "" };
        assert_eq!(*under_weir, format!("{plain}{suffix}"));
    }
}
