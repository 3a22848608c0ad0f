//! All ways in which a process ends: output and end are the same as without Weir, and the report contains its calls.

use std::os::unix::process::ExitStatusExt;

use weir_report::model::{EndKind, Process};

use crate::support::recover::{recover, region_files};
use crate::support::{Account, Mode, Program, scratch, victim};

fn ends(way: &str) -> Program {
    Program::new(victim("ways_to_exit")).arg(way)
}

/// The lines that are the same in every run.
fn own_lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.starts_with("witness "))
        .collect()
}

/// Checks an end that the bare library sees coming.
#[track_caller]
fn expect_report_of_exit(way: &str, status: i32) {
    let plain = ends(way).plain().expect_status(status);
    for mode in Mode::MEASURED {
        let outcome = ends(way).run(mode).expect_status(status);
        assert_eq!(own_lines(&outcome.text()), own_lines(&plain.text()));
        assert_eq!(outcome.complaints(), "");
        let process = outcome.process();
        match way {
            "exit_in_thread" | "pthread_exit" => {
                Account::of(&outcome.text()).expect_in_threaded(process);
            }
            _ => Account::of(&outcome.text()).expect_in(process),
        }
        assert_eq!(process.end.how, EndKind::Exited, "{mode:?}");
        assert_eq!(process.end.status, Some(status), "{mode:?}");
        assert_eq!(process.end.signal, None);
    }
}

#[test]
fn return_from_main() {
    expect_report_of_exit("return", 7);
}

#[test]
fn exit() {
    expect_report_of_exit("exit", 7);
}

#[test]
fn underscore_exit() {
    expect_report_of_exit("_exit", 7);
}

#[test]
fn underscore_exit_of_c99() {
    expect_report_of_exit("_Exit", 7);
}

#[test]
fn quick_exit_with_a_handler_that_writes() {
    expect_report_of_exit("quick_exit", 7);
}

#[test]
fn exit_in_another_thread() {
    expect_report_of_exit("exit_in_thread", 7);
}

#[test]
fn pthread_exit_in_the_main_thread() {
    expect_report_of_exit("pthread_exit", 0);
}

/// Checks an end that nothing announces. `weir run` reports it; the bare library leaves the region, and `weir
/// recover` makes the report from it.
#[track_caller]
fn expect_report_of_sudden_end(way: &str) {
    let plain = ends(way).plain();
    let regions = scratch();
    for mode in Mode::MEASURED {
        let mut program = ends(way);
        if mode == Mode::Bare {
            program = program
                .env("WEIR_REGION_DIR", regions.path())
                .without_reports();
        }
        let outcome = program.run(mode);
        assert_eq!(own_lines(&outcome.text()), own_lines(&plain.text()));
        assert_eq!(outcome.complaints(), "");
        assert_eq!(outcome.status.code(), plain.status.code());
        assert_eq!(outcome.status.signal(), plain.status.signal());
        let account = Account::of(&outcome.text());
        if mode == Mode::Bare {
            let files = region_files(regions.path());
            assert_eq!(files.len(), 1, "{files:?}");
            let report = recover(&files[0]);
            assert_eq!(report.processes.len(), 1);
            account.expect_in(&report.processes[0]);
        } else {
            account.expect_in(outcome.process());
            let end = &outcome.process().end;
            let plain_end = (plain.status.code(), plain.status.signal());
            assert_eq!((end.status, end.signal), plain_end);
            assert_eq!(outcome.reports[0].end, *end);
        }
    }
}

#[test]
fn exit_by_a_bare_system_call() {
    expect_report_of_sudden_end("bare_system_call");
}

#[test]
fn abort() {
    expect_report_of_sudden_end("abort");
}

#[test]
fn segmentation_fault() {
    expect_report_of_sudden_end("segmentation_fault");
}

#[test]
fn sigterm() {
    expect_report_of_sudden_end("SIGTERM");
}

#[test]
fn sigkill() {
    expect_report_of_sudden_end("SIGKILL");
}

/// The C library writes what is left in the buffers of streams after every handler of exit has run.
/// A process that is killed says nothing: its parent knows when it was gone.
#[test]
fn a_killed_process_was_not_there_for_longer_than_its_parent_waited() {
    let outcome = Program::new(victim("naps_and_dies"))
        .run(Mode::Run)
        .expect_status(0);
    let processes = outcome.processes();
    let text = outcome.text();
    let mut count = 0;
    for line in text.lines() {
        let (pid, most_ns) = line.split_once(' ').expect("two numbers");
        let is_it = |image: &&&Process| image.pid.to_string() == pid;
        let image = processes.iter().find(is_it).expect("an image");
        assert_eq!(image.end.signal, Some(libc::SIGKILL));
        let most_ns: u64 = most_ns.parse().expect("a number");
        // The rate of the ticks is known to a thousandth.
        let (least_ns, most_ns) = (500_000_000, most_ns + most_ns / 1000);
        assert!(
            (least_ns..most_ns).contains(&image.duration_ns),
            "{image:?} {line}"
        );
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn streams_are_flushed_after_all() {
    for ends in [&[][..], &["by exit"]] {
        let program = Program::new(victim("flushed_at_exit"));
        let program = program.args(ends).stdin("some text\nand more of it\n");
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_status(3);
            assert_eq!(outcome.text(), "12345 s\n");
            let process = outcome.process();
            assert_eq!(
                (process.end.how, process.end.status),
                (EndKind::Exited, Some(3))
            );
            let written = &process.functions["_IO_file_write"];
            assert_eq!((written.calls, written.moved_bytes), (2, 20), "{mode:?}");
            let other = process.files.listed.iter();
            let mut other = other.filter(|file| file.name.ends_with("/other"));
            let other = other.next().expect("the file is reported");
            assert_eq!((other.writes, other.written_bytes), (1, 12), "{mode:?}");
        }
    }
}

/// Compares the calls and the signal of each child of `ends_in_many_ways` with what its parent said.
#[track_caller]
pub fn expect_ends(program: Program) {
    let outcome = program.run(Mode::Run).expect_status(0);
    let text = outcome.text();
    let mut expected: Vec<_> = text.lines().map(str::to_owned).collect();
    let processes = outcome.processes();
    let children = processes.iter().filter(|image| {
        let mut command = image.command.iter();
        image.forked && command.any(|word| word.ends_with("/ends_in_many_ways"))
    });
    let child = |image: &&Process| {
        let calls = image.functions.get("pwrite")?.calls;
        let signal = image.end.signal.map_or(-1, |signal| signal);
        Some(format!("{calls} {signal}"))
    };
    let mut ends: Vec<_> = children.filter_map(child).collect();
    expected.sort();
    ends.sort();
    assert_eq!(ends, expected);
}

#[test]
fn many_at_once_end_as_their_parent_noted() {
    expect_ends(Program::new(victim("ends_in_many_ways")).args(["950", "30"]));
}
