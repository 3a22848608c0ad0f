//! Regions of images that are gone: one is removed only if its report is written.

use weir_report::model::{EndKind, Report};

use crate::support::recover::{recover_all, region_files};
use crate::support::{Mode, Program, scratch, victim};

/// How often the only process of a report called pwrite.
fn writes(report: &Report) -> u64 {
    let functions = &report.processes[0].functions;
    functions.get("pwrite").map_or(0, |pwrite| pwrite.calls)
}

fn ends(reports: &[Report]) -> Vec<(u64, EndKind, Option<i32>)> {
    let mut ends: Vec<_> = reports
        .iter()
        .map(|report| {
            let end = &report.processes[0].end;
            (writes(report), end.how, end.signal)
        })
        .collect();
    ends.sort_by_key(|end| end.0);
    ends
}

/// A process that was killed has the counts that only its region has, also where the next process has its id, and starts within the
/// same tick. Its parent tells each how it ended.
#[test]
fn one_process_id_many_times() {
    const CHILDREN: i32 = 60;
    let folder = scratch();
    Program::new(victim("leaves_regions"))
        .args(["again", &CHILDREN.to_string()])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare)
        .expect_status(0);
    let recovered = recover_all(folder.path()).expect("all are recovered");
    let killed = (0..CHILDREN).filter(|i| i % 3 != 2);
    let expected: Vec<_> = killed
        .map(|i| {
            let signal = [libc::SIGKILL, libc::SIGTERM][(i % 3) as usize];
            ((i + 1) as u64, EndKind::Signaled, Some(signal))
        })
        .collect();
    assert_eq!(ends(&recovered), expected);
}

/// Images that were replaced by a system call which no hook saw have written no report: their regions stay. The signal at the end is
/// that of the last one alone.
#[test]
fn replaced_by_a_system_call() {
    let folder = scratch();
    let script = format!("{} replaced 5; exit 4", victim("leaves_regions").display());
    Program::new("/bin/bash")
        .args(["-c", &script])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare)
        .expect_status(4);
    let recovered = recover_all(folder.path()).expect("all are recovered");
    let mut signals: Vec<_> = recovered
        .iter()
        .filter(|report| writes(report) == 77)
        .map(|report| report.processes[0].end.signal)
        .collect();
    signals.sort_unstable();
    assert_eq!(signals, [None, None, None, None, None, Some(libc::SIGKILL)]);
}
