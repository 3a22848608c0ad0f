//! Thousands of processes, threads and files: the totals are right, and what Weir keeps of them is bounded.

use weir_report::model::Process;

use crate::support::{Mode, Program, victim};

fn storm(of: &str, count: u64) -> Program {
    Program::new(victim("storm")).args([of, &count.to_string()])
}

/// 10,000 children, one after the other, each with a region of its own during its short life.
#[test]
fn ten_thousand_forks() {
    const CHILDREN: u64 = 10_000;
    let outcome = storm("forks", CHILDREN).run(Mode::Run).expect_status(0);
    let report = &outcome.reports[0];
    assert_eq!(report.functions["fork"].calls, CHILDREN);
    assert_eq!(report.functions["write"].calls, CHILDREN);
    assert_eq!(report.functions["write"].moved_bytes, CHILDREN);
    assert_eq!(report.functions["_exit"].calls, CHILDREN);
    let images = report.processes.iter().map(Process::stands_for);
    assert_eq!(images.sum::<u64>(), CHILDREN + 1);
    assert_eq!(report.folded_processes, CHILDREN + 1 - 1000);
    let sink = report
        .files
        .listed
        .iter()
        .find(|file| file.name == "/dev/null")
        .expect("what they all wrote to");
    assert_eq!((sink.writes, sink.written_bytes), (CHILDREN, CHILDREN));
}

/// 1000 threads at the same time.
#[test]
fn a_thousand_threads() {
    const THREADS: u64 = 1000;
    for mode in Mode::MEASURED {
        let outcome = storm("threads", THREADS).run(mode).expect_status(0);
        let process = outcome.process();
        assert_eq!(process.functions["write"].calls, THREADS, "{mode:?}");
        assert_eq!(process.functions["write"].moved_bytes, THREADS, "{mode:?}");
        assert_eq!(process.missed.threads_without_slot, 0, "{mode:?}");
        let sink = process
            .files
            .listed
            .iter()
            .find(|file| file.name == "/dev/null")
            .expect("what they all wrote to");
        assert_eq!(sink.written_bytes, THREADS, "{mode:?}");
    }
}
