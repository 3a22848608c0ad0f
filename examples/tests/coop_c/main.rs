//! `examples/coop_c`, built as its Makefile does, and run with Weir and without.

#[path = "../../../tests/end_to_end/support/built.rs"]
mod built;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use built::built;

const PROGRAMS: [&str; 2] = ["echo", "echo_fortified"];

/// The folder of the example's programs, built.
fn examples() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = built().join("coop_c");
        let made = Command::new("make")
            .arg("--always-make")
            .arg("CFLAGS=-O2 -Wall -Wextra -Werror")
            .arg(format!("OUT={}", folder.display()))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/coop_c"))
            .output()
            .expect("make runs");
        assert!(made.status.success(), "{}", text(&made));
        folder
    })
}

fn text(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).expect("UTF-8")
}

fn program(name: &str) -> PathBuf {
    examples().join(name)
}

#[test]
fn what_is_registered_takes_few_lines() {
    let lines = include_str!("../../coop_c/weir_st.c").lines().count();
    assert!(lines < 60, "{lines}");
}

#[test]
fn the_fortified_build_calls_checked_functions() {
    let output = Command::new("nm")
        .args(["--dynamic", "--undefined-only"])
        .arg(program("echo_fortified"))
        .output()
        .expect("nm runs");
    assert!(text(&output).contains("__read_chk"), "{}", text(&output));
}

#[test]
fn without_weir_the_first_call_that_blocks_holds_the_thread() {
    for name in PROGRAMS {
        let program = program(name);
        let begun = Instant::now();
        let output = Command::new(program).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("nothing has moved for 3 s"));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn under_weir_all_are_served_at_the_same_time() {
    for name in PROGRAMS {
        let reports = tempfile::tempdir().expect("a folder");
        let output = Command::new(built().join("weir"))
            .args(["run", "--"])
            .arg(program(name))
            .args(["300", "10", "1000"])
            .current_dir(&reports)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{name}: {}", text(&output));
        let said = text(&output);
        assert!(
            said.contains("300 connections on one thread, 300 at the same time"),
            "{name}: {said}"
        );
        assert!(said.contains("3000 answers"), "{name}: {said}");
    }
}
