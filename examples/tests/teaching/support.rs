//! Runs a command and hands back what a terminal would show.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub const SIGSEGV: i32 = 11;

/// What a command left: its stdout and stderr in the order they were written, and how it ended.
pub struct Outcome {
    pub output: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Outcome {
    /// The number of lines that are this one.
    pub fn count(&self, line: &str) -> usize {
        self.output.lines().filter(|&each| each == line).count()
    }

    /// The lines after the first that contains `start`, up to the next empty one.
    pub fn part(&self, start: &str) -> Vec<&str> {
        let mut lines = self.output.lines();
        assert!(
            lines.any(|line| line.contains(start)),
            "no {start:?} in:\n{}",
            self.output
        );
        lines.take_while(|line| !line.is_empty()).collect()
    }
}

pub fn run(command: &mut Command) -> Outcome {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a second writer"))
        .stderr(writer)
        .spawn()
        .expect("the command starts");
    // The command keeps the pipe's writing end until other ones are given to it.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let mut output = String::new();
    reader.read_to_string(&mut output).expect("UTF-8");
    let status = child.wait().expect("the command ends");
    Outcome {
        output,
        code: status.code(),
        signal: status.signal(),
    }
}

/// The folder of the examples.
pub fn examples() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `examples/run` with these arguments, which must succeed. It runs once for all tests.
pub fn example(arguments: &[&str]) -> Arc<Outcome> {
    static RUNS: Mutex<BTreeMap<String, Arc<OnceLock<Arc<Outcome>>>>> = Mutex::new(BTreeMap::new());
    let run_of = || {
        let outcome = run(Command::new(examples().join("run")).args(arguments));
        assert_eq!(outcome.code, Some(0), "{arguments:?}:\n{}", outcome.output);
        Arc::new(outcome)
    };
    let this = {
        let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(runs.entry(arguments.join(" ")).or_default())
    };
    Arc::clone(this.get_or_init(run_of))
}

/// Builds what an example needs, and says in which directory it is.
pub fn directory(name: &str) -> PathBuf {
    let outcome = example(&[name]);
    let line = outcome
        .output
        .lines()
        .find_map(|line| line.strip_prefix("$ cd "));
    PathBuf::from(line.expect("the directory is named"))
}

/// Runs a program under libraries, in their directory, with a stack of so many KiB.
pub fn preload(directory: &Path, libraries: &str, program: &str, stack_kib: u32) -> Outcome {
    let line = format!("ulimit -c 0 -s {stack_kib}; exec env LD_PRELOAD='{libraries}' {program}");
    run(Command::new("bash")
        .arg("-c")
        .arg(line)
        .current_dir(directory))
}

/// Builds a C program of the tests.
pub fn compile(source: &str, result: &Path, options: &[&str]) {
    let outcome = run(Command::new("cc")
        .args(["-O0", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(result)
        .arg(examples().join("tests/teaching").join(source))
        .args(options)
        .arg("-ldl"));
    assert_eq!(outcome.code, Some(0), "{source}:\n{}", outcome.output);
}

/// That a program under these libraries dies of its stack, and of nothing else: twice the stack, and
/// it gets twice as far.
pub fn assert_overflows(directory: &Path, libraries: &str, program: &str, line: &str) {
    let entered = [1024, 2048].map(|stack| {
        let outcome = preload(directory, libraries, program, stack);
        assert_eq!(outcome.signal, Some(SIGSEGV), "{:?}", outcome.code);
        outcome.count(line)
    });
    assert!(entered[0] > 100, "{entered:?}");
    let ratio = entered[1] as f64 / entered[0] as f64;
    assert!((1.8..2.2).contains(&ratio), "{entered:?}");
}
