//! Blocking calls in coroutines end as the kernel ends them.

use crate::support::{Mode, Outcome, Program, victim};

fn case(name: &str) -> Program {
    Program::new(victim("coop_ends")).arg(name)
}

/// The lines that a program printed, sorted: two threads may print in any order.
fn said(outcome: Outcome) -> Vec<String> {
    let text = outcome.expect_status(0).text();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Checks that a case ends in a coroutine, and in threads under Weir, as it ends in threads without Weir. Those lines
/// contain all of `least`.
#[track_caller]
fn ends_as_the_kernel_has_it(name: &str, least: &[&str]) {
    let alone = case(name).arg("x");
    let kernel = said(alone.plain());
    for line in least {
        assert!(kernel.iter().any(|said| said == line), "{name}: {kernel:?}");
    }
    for mode in Mode::MEASURED {
        assert_eq!(said(case(name).run(mode)), kernel, "{name}: coroutine");
        let parted = alone.clone().env("WEIR_COOP", "on");
        assert_eq!(said(parted.run(mode)), kernel, "{name}: thread");
    }
}

/// Checks the lines of a case that exists for coroutines only.
#[track_caller]
fn says(name: &str, expected: &[&str]) {
    for mode in Mode::MEASURED {
        let outcome = case(name).run(mode).expect_status(0);
        assert_eq!(
            outcome.text().lines().collect::<Vec<_>>(),
            expected,
            "{name}"
        );
    }
}

/// A datagram socket reports a shutdown only to a call that may wait.
#[test]
fn who_receives_datagrams_learns_of_a_shutdown() {
    ends_as_the_kernel_has_it("shutdown udp", &["recv 0 -", "recvmsg 0 -"]);
    ends_as_the_kernel_has_it("shutdown unix", &["recv 0 -", "recvmsg 0 -"]);
}

/// With TCP, a peek waits for all requested bytes; a Unix socket returns what it has.
#[test]
fn what_is_looked_at_is_waited_for_where_the_kernel_waits() {
    ends_as_the_kernel_has_it("peek unix", &["peek 1 -", "peek at a message 1 -"]);
    ends_as_the_kernel_has_it("peek tcp", &["peek 8 -", "peek at a message 8 -"]);
}

#[test]
fn a_pipe_of_packets_gets_the_kernel_s_packets() {
    ends_as_the_kernel_has_it("packets", &["packet 4096 -", "packet 2818 -"]);
}

/// System calls that no hook sees give a number to another file.
#[test]
fn a_number_that_is_another_s_is_written_to_as_such() {
    ends_as_the_kernel_has_it("another to write", &["recv 10000 -"]);
}

/// The same for reads.
#[test]
fn a_number_that_is_another_s_is_read_from_as_such() {
    let least = [
        "read of a file 4 -",
        "write to a file 4 -",
        "read of a pipe 1 -",
    ];
    ends_as_the_kernel_has_it("another to read", &least);
}

/// O_NONBLOCK and timeouts, which another process or an inline system call may change at any time.
#[test]
fn what_the_program_wants_of_a_socket_is_never_out_of_date() {
    let least = [
        "read without a bound 1 -",
        "read that does not wait -1 EAGAIN",
    ];
    ends_as_the_kernel_has_it("mode", &least);
}

/// A handler ends a wait of the runtime.
#[test]
fn a_handler_ends_a_wait_as_it_would_end_the_call() {
    let least = [
        "read of a socket 1 -",
        "read with a bound -1 EINTR",
        "left 1",
        "sleep 4 -",
    ];
    ends_as_the_kernel_has_it("restart", &least);
    ends_as_the_kernel_has_it("interrupt", &["read of a pipe -1 EINTR"]);
}

/// A sleep of the runtime that ends too early, for whatever reason, never makes the thread sleep.
#[test]
fn a_sleep_is_the_runtime_s_to_its_end() {
    says(
        "interrupted sleep",
        &["nanosleep -1 EINTR, others ran 1", "left 1"],
    );
    says("short sleep", &["nanosleep 0 all, others ran 1"]);
    says("no sleep", &["nanosleep 0 all, others ran 1"]);
}

/// Once the descriptor is closed and its number belongs to another file, the result of wait_fd does not matter.
#[test]
fn who_reads_what_is_closed_learns_it_at_once() {
    let line = "read -1 EBADF at once";
    says("closed", &[line]);
    says("closed for several", &[line, line]);
}

/// If no new descriptor can be made, waits use existing ones.
#[test]
fn who_waits_needs_no_descriptor() {
    let expected = [
        "poll of two 1 -",
        "usleep 0 -",
        "took 1, others ran 1",
        "read 1 -",
        "another's read 1 -",
        "the same's read 1 -",
    ];
    // Without `weir run` there is no descriptor for a report either.
    let mut lines = said(case("none left").run(Mode::Run));
    lines.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(lines, expected);
}
