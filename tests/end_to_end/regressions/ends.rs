//! The end of a process in all its forms: each leaves a report, once, and nothing else.

use std::path::Path;
use std::process::Command;

use weir_report::model::EndKind;

use crate::support::program::report_files;
use crate::support::recover::{recover, region_files};
use crate::support::{Mode, Program, scratch, victim};

/// How many reports a program writes that ends with so many streams of each kind.
fn reports_written(streams: u32) -> usize {
    let folder = scratch();
    let program = Program::new(victim("many_streams"))
        .arg(streams.to_string())
        .env("WEIR_REGION_DIR", folder.path());
    let traced = program.command(Mode::Bare, Path::new(""));
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=rename,renameat,renameat2,link,linkat",
            "-o",
        ])
        .arg(&trace);
    for (name, value) in traced.get_envs() {
        match value {
            Some(value) => strace.arg("-E").arg([name, value].join("=".as_ref())),
            None => strace.arg("-E").arg(name),
        };
    }
    let status = strace
        .arg(traced.get_program())
        .args(traced.get_args())
        .current_dir(folder.path())
        .status()
        .expect("strace runs");
    assert_eq!(status.code(), Some(4));
    assert!(region_files(folder.path()).is_empty(), "the region stays");
    let report = weir_report::read::load(&report_files(folder.path())[0]).expect("a report");
    let functions = &report.processes[0].functions;
    let streams = u64::from(streams);
    assert_eq!(functions["_IO_file_write"].calls, 2 * streams);
    assert_eq!(functions["_IO_file_write"].moved_bytes, 13 * streams);
    assert_eq!(functions["_IO_file_seek"].calls, streams);
    let trace = std::fs::read_to_string(trace).expect("a trace");
    trace.lines().filter(|line| line.ends_with("= 0")).count()
}

/// The report knows what the last of them did, and is not written for each.
#[test]
fn many_streams_at_exit() {
    let few = reports_written(3);
    assert!(few <= 6, "{few} reports");
    assert_eq!(reports_written(100), few);
}

/// Neither there, nor to be executed, nor to be executed by the kernel.
const FAILURES: [&str; 3] = ["/nonexistent/program", "/etc/passwd", "/usr"];

#[test]
fn a_failed_exec_changes_nothing() {
    for path in FAILURES {
        let program = Program::new(victim("fails_to_exec")).args(["exits", path]);
        let plain = program.plain().expect_status(6);
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_same(&plain);
            let process = outcome.process();
            assert_eq!(process.functions["dup"].calls, 1100, "{mode:?} {path}");
            assert_eq!(process.end.how, EndKind::Exited);
            assert_eq!(process.functions["execv"].errors, 1);
        }
    }
}

#[test]
fn a_failed_exec_before_a_kill() {
    for path in &FAILURES[..2] {
        let folder = scratch();
        let program = Program::new(victim("fails_to_exec"))
            .args(["killed", path])
            .env("WEIR_REGION_DIR", folder.path())
            .in_folder(folder.path())
            .without_reports();
        program.run(Mode::Bare);
        assert!(report_files(folder.path()).is_empty(), "{path}");
        let regions = region_files(folder.path());
        assert_eq!(regions.len(), 1, "{path}");
        let report = recover(&regions[0]);
        assert_eq!(report.processes[0].functions["dup"].calls, 1100);
    }
}
