//! Programs that give up system calls (seccomp). From then on, Weir makes no call that the program would not make
//! itself.

use weir_report::model::{Process, Report};

use crate::support::recover::{recover, region_files};
use crate::support::{Account, Mode, Program, scratch, victim};

/// Runs the victim, which the first forbidden call kills, and returns its report.
#[track_caller]
fn report_of(way: &str, what: &str, mode: Mode) -> Report {
    report_with("off", way, what, mode)
}

/// The same with call stacks, or without.
#[track_caller]
fn report_with(stacks: &str, way: &str, what: &str, mode: Mode) -> Report {
    let regions = scratch();
    let program = Program::new(victim("sealed")).args([way, what]);
    let mut program = program.env("WEIR_STACKS", stacks);
    let plain = program.plain().expect_status(7);
    if mode == Mode::Bare {
        program = program
            .env("WEIR_REGION_DIR", regions.path())
            .without_reports();
    }
    let mut outcome = program.run(mode).expect_same(&plain);
    match mode {
        Mode::Bare => {
            // It could not write a report, so the region stays.
            let left = region_files(regions.path());
            assert_eq!(left.len(), 1, "{left:?}");
            recover(&left[0])
        }
        _ => outcome.reports.remove(0),
    }
}

#[track_caller]
fn only_process(report: &Report) -> &Process {
    assert_eq!(report.processes.len(), 1);
    let process = &report.processes[0];
    let notes = &process.missed.notes;
    assert!(
        notes.iter().any(|note| note.contains("seccomp")),
        "{notes:?}"
    );
    process
}

#[test]
fn a_sealed_program_is_counted_to_its_end() {
    for mode in Mode::MEASURED {
        for (way, stacks) in [("prctl", "off"), ("seccomp", "off"), ("seccomp", "all")] {
            let report = report_with(stacks, way, "alone", mode);
            let process = only_process(&report);
            let of = |name: &str| &process.functions[name];
            assert_eq!((of("read").calls, of("read").moved_bytes), (100, 6400));
            assert_eq!(of("write").calls, 101, "{mode:?} {way}");
            assert_eq!(of("write").moved_bytes, 3205);
            assert_eq!(of("malloc").calls - of("free").calls, 0);
            assert!(of("malloc").calls >= 101);
            assert_eq!(process.end.status, Some(7), "{mode:?} {way}");
        }
    }
}

/// No thread of the program may drain its ring any more; `weir run` does.
#[test]
fn a_full_ring_is_no_reason_for_a_call() {
    for mode in Mode::MEASURED {
        let report = report_of("prctl", "fills the ring", mode);
        let write = &only_process(&report).functions["write"];
        assert_eq!((write.calls, write.moved_bytes), (50_001, 50_005));
        let latency = write.latency.as_ref().expect("timed calls");
        assert_eq!(latency.timed, 50_001, "{mode:?}");
        if mode == Mode::Bare {
            assert!(latency.dropped > 0);
        }
    }
}

/// Threads that start later have no slots. The library's own thread has ended before.
#[test]
fn threads_of_a_sealed_program_are_counted_together() {
    for mode in Mode::MEASURED {
        for way in ["prctl", "seccomp"] {
            let report = report_of(way, "threads", mode);
            let process = only_process(&report);
            let write = &process.functions["write"];
            assert_eq!(
                (write.calls, write.moved_bytes),
                (201, 3205),
                "{mode:?} {way}"
            );
            assert_eq!(process.missed.threads_without_slot, 3);
        }
    }
}

#[test]
fn forks_of_a_sealed_program_are_counted_in_its_region() {
    for mode in Mode::MEASURED {
        for way in ["prctl", "seccomp"] {
            let report = report_of(way, "forks", mode);
            let process = only_process(&report);
            let write = &process.functions["write"];
            assert_eq!(
                (write.calls, write.moved_bytes),
                (151, 2405),
                "{mode:?} {way}"
            );
            assert_eq!(process.functions["_exit"].calls, 3);
            let notes = &process.missed.notes;
            assert!(
                notes
                    .iter()
                    .any(|note| note.starts_with("3 forked processes")),
                "{notes:?}"
            );
        }
    }
}

/// There, the time of every allocation would be a system call, which ends the program.
#[test]
fn without_the_kernel_s_function_for_its_clock_the_time_is_computed() {
    let program = Program::new(victim("without_vdso"))
        .arg(victim("rough"))
        .arg("sandbox")
        .env("WEIR_STACKS", "all")
        .env("WEIR_LIFETIMES", "on");
    program.plain().expect_status(6);
    let outcome = program.run(Mode::Run).expect_status(6);
    let account = Account::of(&outcome.text());
    let sandbox = outcome
        .processes()
        .into_iter()
        .rfind(|process| process.pid == account.pid)
        .expect("the program is in the report, after the image that executed it");
    account.expect_in(sandbox);
    let sites = &sandbox.stacks.as_ref().expect("stacks of all calls").sites;
    let lifetimes = sites.iter().filter_map(|site| site.lifetimes.as_ref());
    let (blocks, ns) = lifetimes.fold((0, 0), |(blocks, ns), of| {
        (
            blocks + of.freed.iter().sum::<u64>(),
            ns + of.freed_total_ns,
        )
    });
    assert!(blocks >= 201, "{blocks}");
    // One of them lives while the program counts to 30 million, which takes less than a minute.
    assert!((5_000_000..60_000_000_000).contains(&ns), "{ns}");
}

/// What hooks need to know of the process is found out before, also where no call has needed it yet.
#[test]
fn the_first_path_and_the_first_vector_may_come_there() {
    for stacks in ["off", "sampled", "all"] {
        for mode in Mode::MEASURED {
            let regions = scratch();
            let program = Program::new(victim("first_vector_in_sandbox"))
                .env("WEIR_STACKS", stacks)
                .env("WEIR_REGION_DIR", regions.path())
                .without_reports();
            let plain = program.plain().expect_status(4);
            let _ = program.run(mode).expect_same(&plain);
        }
    }
}

/// A thread may be in the middle of system calls of ours when another takes the right to make them from all threads.
#[test]
fn all_threads_at_once() {
    for mode in Mode::MEASURED {
        let regions = scratch();
        let program = Program::new(victim("seals_all_threads"))
            .env("WEIR_REGION_DIR", regions.path())
            .without_reports();
        let plain = program.plain().expect_status(0);
        assert_eq!(plain.stdout, b"0 were killed\n");
        let _ = program.run(mode).expect_same(&plain);
    }
}

/// What is opened there has its names, also in threads that begin there.
#[test]
fn names_of_what_is_opened_there() {
    let folder = scratch();
    let program = Program::new(victim("names_in_sandbox")).in_folder(folder.path());
    program.plain().expect_status(4);
    let outcome = program.run(Mode::Run).expect_status(4);
    let listed = &outcome.process().files.listed;
    for of in ["before", "after"] {
        let opens = |name: &str| {
            let named = listed.iter().filter(|file| file.name.ends_with(name));
            named.map(|file| file.opens).sum::<u64>()
        };
        for number in 0..25 {
            assert_eq!(opens(&format!("/{of}-{number}")), 1, "{listed:#?}");
        }
        assert_eq!(opens(&format!("memory-{of}")), 1, "{listed:#?}");
    }
}
