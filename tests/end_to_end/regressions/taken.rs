//! What a program takes from itself: system calls, the clock, its root directory. Weir works without them.

use std::process::Command;

use weir_report::model::Process;

use crate::support::recover::{recover, region_files};
use crate::support::strace::run_under;
use crate::support::{Mode, Outcome, Program, scratch, succeed, victim};

fn taking(what: &str) -> Program {
    Program::new(victim("takes_from_itself")).arg(what)
}

fn notes_of(process: &Process) -> String {
    process.missed.notes.join("\n")
}

/// Runs the program in both modes, with each of these settings for timed calls. The program behaves the same.
fn each(what: &str, see: impl Fn(&Outcome, &str)) {
    let plain = taking(what).plain().expect_status(0);
    for mode in Mode::MEASURED {
        for timing in ["", "all", "off"] {
            let program = match timing {
                "" => taking(what),
                _ => taking(what).env("WEIR_TIME", timing),
            };
            see(&program.run(mode).expect_same(&plain), timing);
        }
    }
}

#[test]
fn the_time_stamp_counter() {
    for what in ["clock", "clock by syscall"] {
        each(what, |outcome, timing| {
            let processes = outcome.processes();
            assert_eq!(processes.len(), 2, "{what}");
            let read = |process: &Process| process.functions["read"].calls;
            // Before and after in this thread, and in the other thread; then in the child.
            assert_eq!((read(processes[0]), read(processes[1])), (140, 20));
            assert!(notes_of(processes[0]).contains("PR_SET_TSC"));
            let timed = processes[0].functions["read"]
                .latency
                .as_ref()
                .map_or(0, |latency| latency.timed);
            assert_eq!(timed, if timing == "off" { 0 } else { 100 }, "{what}");
        });
    }
}

#[test]
fn a_time_stamp_counter_that_is_not_taken() {
    each("refused clock", |outcome, timing| {
        let process = outcome.process();
        assert!(!notes_of(process).contains("PR_SET_TSC"));
        let read = &process.functions["read"];
        let timed = read.latency.as_ref().map_or(0, |latency| latency.timed);
        assert_eq!(read.calls, 120);
        assert_eq!(timed, if timing == "off" { 0 } else { 120 });
    });
}

#[test]
fn strict_mode_of_seccomp() {
    for what in ["strict", "strict by syscall"] {
        let plain = taking(what).plain().expect_status(0);
        for mode in Mode::MEASURED {
            let mut program = taking(what);
            if mode == Mode::Bare {
                program = program.without_reports();
            }
            let outcome = program.run(mode).expect_same(&plain);
            if mode == Mode::Run {
                assert_eq!(outcome.process().functions["read"].calls, 5100);
            }
        }
    }
}

/// A call that was refused has taken nothing: the child has a report of its own.
#[test]
fn a_failed_attempt_to_seal_is_no_seal() {
    each("probe", |outcome, _| {
        let processes = outcome.processes();
        assert_eq!(processes.len(), 2);
        for process in &processes {
            assert!(!notes_of(process).contains("seccomp"));
        }
        assert_eq!(processes[1].functions["read"].calls, 20);
    });
}

#[test]
fn system_calls_from_anywhere_but_the_c_library() {
    let plain = taking("dispatch").plain().expect_status(0);
    for mode in Mode::MEASURED {
        for timing in ["all", "off"] {
            let mut program = taking("dispatch").env("WEIR_TIME", timing);
            if mode == Mode::Bare {
                program = program.without_reports();
            }
            let outcome = program.run(mode).expect_same(&plain);
            if mode == Mode::Run {
                let process = outcome.process();
                assert!(notes_of(process).contains("PR_SET_SYSCALL_USER_DISPATCH"));
                // Its own reads, its other thread's, and its child's.
                assert_eq!(process.functions["read"].calls, 160);
            }
        }
    }
}

#[test]
fn memory_that_no_call_has_shown_to_be_there() {
    let plain = taking("denied").plain().expect_status(0);
    assert_eq!(plain.text(), "-1 -1 -1\n");
    for mode in Mode::MEASURED {
        let mut program = taking("denied");
        if mode == Mode::Bare {
            program = program.without_reports();
        }
        program.run(mode).expect_same(&plain);
    }
}

/// `unshare` of a user namespace, as root or as another user: the kernel permits both.
#[test]
fn what_only_a_process_of_one_thread_may_do() {
    let plain = taking("alone").plain().expect_status(0);
    for mode in Mode::MEASURED {
        let program = taking("alone").env("WEIR_INTERVAL", "0.01");
        let outcome = program.run(mode).expect_same(&plain);
        assert_eq!(outcome.process().functions["read"].calls, 120, "{mode:?}");
    }
}

/// How many system calls the program takes for `writes` writes in a root directory without `/proc`.
fn calls_without_proc(mode: Mode, writes: u32) -> usize {
    let folder = scratch();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let program = taking("root")
        .arg(&root)
        .arg(writes.to_string())
        .env("WEIR_REGION_DIR", folder.path());
    let traced = program.command(mode, &folder.path().join("report.json"));
    let trace = folder.path().join("trace");
    // For users who may not change their root directory.
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "strace", "-f", "-qq", "-o"])
        .arg(&trace);
    run_under(&mut command, &traced);
    command.current_dir(folder.path());
    succeed(&mut command, b"");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    // `weir run` watches the program while it runs: only the program's calls count.
    let own = |line: &&str| line.contains("write(1, \"x\"") || line.contains("/proc/self/fd");
    trace.lines().filter(own).count()
}

/// Weir asks only once what a descriptor is, even if there is no answer.
#[test]
fn a_root_without_proc() {
    for mode in Mode::MEASURED {
        let calls = calls_without_proc(mode, 1000);
        assert!((1000..1010).contains(&calls), "{mode:?}: {calls}");
    }
}

/// A program that a seccomp filter confines is listed with that as the reason. Its path and its process id are in the list if
/// they are known without a system call. A failed exec is not listed.
#[test]
fn what_a_sandbox_starts_is_listed() {
    for (way, path, is_pid_known) in [
        ("spawn", "/bin/true", true),
        ("name", "/bin/true", true),
        ("path", "", true),
        ("vfork", "", false),
        ("fork", "", false),
    ] {
        let program = Program::new(victim("sandboxed_exec")).arg(way);
        let plain = program.plain().expect_status(0);
        for mode in Mode::MEASURED {
            let regions = scratch();
            let program = match mode {
                // The process could not write a report, so its region stays.
                Mode::Bare => program
                    .clone()
                    .env("WEIR_REGION_DIR", regions.path())
                    .without_reports(),
                _ => program.clone(),
            };
            let mut reports = program.run(mode).expect_same(&plain).reports;
            reports.extend(
                region_files(regions.path())
                    .iter()
                    .map(|left| recover(left)),
            );
            let [report] = &reports[..] else {
                panic!("{way}, {mode:?}: {} reports", reports.len());
            };
            let untraced: Vec<_> = report
                .processes
                .iter()
                .flat_map(|process| &process.missed.untraced)
                .collect();
            let [one] = untraced[..] else {
                panic!("{way}, {mode:?}: {untraced:?}");
            };
            assert!(one.reason.contains("(seccomp)"), "{way}, {mode:?}: {one:?}");
            assert_eq!(one.program, path, "{way}, {mode:?}");
            assert_eq!(one.pid != 0, is_pid_known, "{way}, {mode:?}: {one:?}");
            if ["name", "path"].contains(&way) {
                assert_eq!(one.pid, report.processes[0].pid, "{way}, {mode:?}");
            }
        }
    }
}

/// The filter also confines what is executed, and our start is not among the permitted calls.
#[test]
fn system_calls_of_what_is_executed() {
    let program = Program::new(victim("sandboxed_exec"));
    let plain = program.plain().expect_status(0);
    let outcome = program.run(Mode::Run).expect_same(&plain);
    let notes = notes_of(outcome.processes()[0]);
    assert!(notes.contains("what it executes is not traced"), "{notes}");
    let bare = program.without_reports();
    bare.run(Mode::Bare).expect_same(&plain);
}
