//! Runs commands to their ends.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A program that has not ended after this time hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// This time, or that multiple of it that `WEIR_TEST_PATIENCE` says: an emulated machine is slow.
pub fn patient(time: Duration) -> Duration {
    let factor = std::env::var("WEIR_TEST_PATIENCE").ok();
    time * factor.map_or(1, |factor| factor.parse().expect("a whole number"))
}

/// Waits until something is so. Fails if that takes too long.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patient(Duration::from_secs(60)), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command to its end. If it hangs, kills it and fails.
pub fn finish(command: &mut Command, stdin: &[u8]) -> (ExitStatus, Vec<u8>, Vec<u8>) {
    finish_within(patient(PATIENCE), command, stdin)
}

/// Runs a command that must end with status 0. What it printed on standard output, which must be UTF-8.
#[track_caller]
pub fn succeed(command: &mut Command, stdin: &[u8]) -> String {
    let (status, stdout, stderr) = finish(command, stdin);
    assert!(
        status.success(),
        "{command:?}: {status}\n{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).expect("UTF-8")
}

/// The same with another patience.
pub(super) fn finish_within(
    patience: Duration,
    command: &mut Command,
    stdin: &[u8],
) -> (ExitStatus, Vec<u8>, Vec<u8>) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = loop {
        match command.spawn() {
            Ok(child) => break child,
            // Another test forked while the executable was being written, and its child has not executed another
            // program yet.
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{command:?} does not start: {error}"),
        }
    };
    let group = child.id().cast_signed();
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let guard = scope.spawn(move || {
            let hangs = ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
            if hangs {
                // SAFETY: sends a signal to the group of a child that nobody has waited for yet.
                unsafe { libc::kill(-group, libc::SIGKILL) };
            }
            hangs
        });
        let outputs = outputs(&mut child, stdin);
        let status = child.wait().expect("the child is ours");
        drop(done);
        let hung = guard.join().expect("the guard does not panic");
        assert!(
            !hung,
            "{command:?} hangs; stdout: {:?}, stderr: {:?}",
            String::from_utf8_lossy(&outputs.0),
            String::from_utf8_lossy(&outputs.1)
        );
        (status, outputs.0, outputs.1)
    })
}

/// Writes a child's input, and reads its outputs until no process has them open.
fn outputs(child: &mut Child, stdin: &[u8]) -> (Vec<u8>, Vec<u8>) {
    fn all(mut stream: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    }
    let (mut input, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program need not read its input.
            let _ = input.take().map(|mut input| input.write_all(stdin));
        });
        let stderr = scope.spawn(move || stderr.map_or_else(Vec::new, all));
        (
            stdout.map_or_else(Vec::new, all),
            stderr.join().expect("the reader does not panic"),
        )
    })
}
