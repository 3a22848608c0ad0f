//! Threads: many, short-lived, cancelled, with calls in their destructors.

use weir_record::region::MAX_SLOTS;
use weir_report::model::EndKind;

use crate::support::{Account, Mode, Program, victim};

/// 5000 threads, 50 at a time. Their totals are exact.
#[test]
fn thousands_come_and_go() {
    let program = Program::new(victim("threads_come_and_go")).arg("5000");
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        let process = outcome.process();
        Account::of(&outcome.text()).expect_in_threaded(process);
        assert_eq!(process.missed.threads_without_slot, 0, "{mode:?}");
        let threads: u64 = process.threads.iter().map(|thread| thread.threads).sum();
        assert_eq!(threads, 5001, "{mode:?}");
    }
}

#[test]
fn eight_share_the_heap() {
    let program = Program::new(victim("eight_threads"));
    let plain = program.plain().expect_status(3);
    let results = |text: &str| text.lines().take(8).map(str::to_owned).collect::<Vec<_>>();
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(3);
        assert_eq!(results(&outcome.text()), results(&plain.text()));
        assert_eq!(outcome.complaints(), "");
        let process = outcome.process();
        Account::of(&outcome.text()).expect_in_threaded(process);
        // Entry 0 has what the C library frees after a thread has left its slot.
        let threads = process.threads.iter().filter(|thread| thread.tid != 0);
        assert_eq!(threads.count(), 9, "{mode:?}");
    }
}

/// At the end of each thread, the C library calls free(NULL), which takes no slot.
#[test]
fn threads_that_call_nothing_take_no_slot() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("idle_threads")).run(mode);
        let outcome = outcome.expect_status(0);
        let process = outcome.process();
        assert_eq!(process.missed.threads_without_slot, 0, "{mode:?}");
        let threads = process.threads.iter().filter(|thread| thread.tid != 0);
        assert_eq!(threads.count(), 2, "{mode:?}");
        // The test depends on these calls, so they must have been counted.
        assert!(process.functions["free"].calls > 2000, "{mode:?}");
    }
}

/// Threads are cancelled while they block in read and write, and before that. The cleanup handlers run, and their
/// calls are counted.
#[test]
fn cancellation() {
    let program = Program::new(victim("cancelled"));
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.text().lines().next(), Some("100 cleaned"));
        assert_eq!(outcome.complaints(), "");
        let account = Account::of(&outcome.text());
        account.expect_in_threaded(outcome.process());
    }
}

/// The process ends when its last thread ends, which is not the main thread and does not call exit. It ends by
/// exit(0) all the same.
#[test]
fn others_outlive_the_main_one() {
    for argument in ["one after the other", "at once", "in a child"] {
        let program = Program::new(victim("main_leaves")).arg(argument);
        let plain = program.plain().expect_status(0);
        let ended = plain.text().matches("ended").count();
        assert_eq!(ended, if argument == "in a child" { 3 } else { 10 });
        for round in 0..20 {
            let mode = Mode::MEASURED[round % 2];
            let outcome = program.run(mode).expect_status(0);
            assert_eq!(outcome.text(), plain.text(), "{argument}, {mode:?}");
            assert_eq!(outcome.complaints(), "");
            for process in outcome.processes() {
                assert_eq!(process.end.how, EndKind::Exited, "{argument}, {mode:?}");
                assert_eq!(process.end.status, Some(0), "{argument}, {mode:?}");
            }
        }
    }
}

/// 1300 threads at the same time, on the smallest possible stacks: some find no slot, and all are counted.
#[test]
fn more_than_there_are_slots() {
    let program = Program::new(victim("many_at_once"));
    program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        let process = outcome.process();
        Account::of(&outcome.text()).expect_in_threaded(process);
        assert_eq!(
            process.missed.threads_without_slot,
            1301 - MAX_SLOTS as u64,
            "{mode:?}, {:?}",
            process.missed.notes
        );
    }
}
