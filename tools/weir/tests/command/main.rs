//! The command as a user meets it: arguments, output, exit codes.

mod check;
mod diff;
mod doctor;
mod fleet;
mod html;
mod layout;
mod library;
mod manual;
mod merge;
mod otlp;
mod overwrite;
mod python;
mod recover;
mod report;
mod run;
mod sample;
mod schema;
mod sites;
mod tables;
mod totals;
mod usage;

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The command, in surroundings that do not depend on those of the test.
fn weir<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["COLUMNS", "NO_COLOR", "TERM"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the command with this on its standard input.
fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The command may have seen enough.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("written");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Copies a program. A process of its own does so: what other threads fork meanwhile would have the copy open for writing, and the
/// kernel refuses to execute it then (ETXTBSY).
fn copy_program(from: &str, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.expect("started").success());
}

/// What the command printed, which must have ended with 0 and without a word on standard error.
#[track_caller]
fn success(output: &Output) -> String {
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(0), "")
    );
    text(&output.stdout)
}

/// The JSON of a file.
fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// The one line of a refusal, which must be all there is, and the exit code.
fn refusal(output: &Output) -> (i32, String) {
    assert_eq!(text(&output.stdout), "");
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let line = stderr
        .trim_end()
        .strip_prefix("weir: ")
        .expect("a line of Weir's")
        .to_owned();
    (output.status.code().expect("an exit code"), line)
}
