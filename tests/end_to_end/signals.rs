//! Signal handlers that call the functions that they interrupt, and that jump away.

use crate::support::witness::expect_exact;
use crate::support::{Account, Mode, Program, victim};

/// 5000 alarms. The handler writes, reads and fails, as the interrupted program does.
#[test]
fn a_storm_of_alarms() {
    expect_exact("alarm_storm");
}

#[test]
fn a_jump_out_of_a_blocked_read() {
    expect_exact("jumps_out");
}

/// A handler makes the thread's first calls, on an alternative stack of 8 KiB.
#[test]
fn a_small_signal_stack() {
    let program = Program::new(victim("small_signal_stack"));
    program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        Account::of(&outcome.text()).expect_in_threaded(outcome.process());
    }
}
