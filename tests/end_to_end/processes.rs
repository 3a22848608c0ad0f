//! Several process images: each counts for itself, and `weir run` reports all of them in one report.

use std::collections::BTreeSet;
use std::path::Path;

use weir_report::model::EndKind;

use crate::support::{Account, Mode, Program, victim};

/// Runs a victim in which every process image prints its account, and compares all accounts.
#[track_caller]
fn expect_every_image(program: &Program, images: usize) {
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        assert_eq!(Account::expect_all_in(&outcome), images);
        assert_eq!(outcome.processes().len(), images, "{mode:?}");
        if mode == Mode::Run {
            assert_eq!(outcome.reports.len(), 1);
        }
    }
}

/// A forked process makes its region in its first call. Of one that fails before that, its parent has a note.
#[test]
fn children_that_fail_before_their_first_call_are_reported() {
    let outcome = Program::new(victim("children_without_calls"))
        .run(Mode::Run)
        .expect_status(0);
    assert_eq!(Account::expect_all_in(&outcome), 1);
    assert_eq!(outcome.processes().len(), 1);
    let notes = &outcome.process().missed.notes;
    let told = notes
        .iter()
        .filter(|note| note.contains("without an image"));
    let mut told: Vec<_> = told.filter_map(|note| note.split(':').next()).collect();
    told.sort_unstable();
    let expected = [
        "2 child processes without an image of their own ended by signal 9 (SIGKILL)",
        "5 child processes without an image of their own exited with status 3",
    ];
    assert_eq!(told, expected);
}

#[test]
fn fork_in_a_fan_and_in_a_chain() {
    let forks = Program::new(victim("forks"));
    expect_every_image(&forks, 12);
    let outcome = forks.run(Mode::Run);
    let forked = outcome
        .processes()
        .iter()
        .filter(|image| image.forked)
        .count();
    assert_eq!(forked, 11);
    for image in outcome.processes() {
        assert_eq!(image.end.how, EndKind::Exited);
        assert!(image.executable.ends_with("/forks"), "{}", image.executable);
    }
}

#[test]
fn fork_that_runs_no_handlers() {
    expect_every_image(&Program::new(victim("fork_without_handlers")), 2);
}

/// Threads fork sixty children while other threads are in malloc.
#[test]
fn fork_from_threads() {
    let program = Program::new(victim("fork_from_threads"));
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        let accounts = Account::all(&outcome.text());
        assert_eq!(
            (accounts.len(), outcome.processes().len()),
            (61, 61),
            "{mode:?}"
        );
        for account in accounts {
            let images = outcome.processes();
            let image = images.iter().find(|image| image.pid == account.pid);
            let image = image.expect("every process is in the report");
            account.expect_calls(image);
            let made = image.heap.live_blocks - image.heap.inherited_blocks;
            assert_eq!(made, account.live_blocks - account.inherited.1, "{mode:?}");
        }
    }
}

#[test]
fn every_member_of_the_exec_family() {
    let program = victim("ways_to_exec");
    let folder = program.parent().expect("victims are in a folder");
    let path = format!("{}:/usr/bin:/bin", folder.display());
    for mode in Mode::MEASURED {
        let outcome = Program::new(&program)
            .env("PATH", &path)
            .run(mode)
            .expect_status(5);
        assert_eq!(Account::expect_all_in(&outcome), 10);
        let ends: Vec<EndKind> = outcome
            .processes()
            .iter()
            .map(|image| image.end.how)
            .collect();
        assert_eq!(ends[..9], [EndKind::Exec; 9], "{mode:?}");
        assert_eq!(ends[9], EndKind::Exited, "{mode:?}");
    }
}

/// The variadic exec functions pass on the arguments on the stack and those in registers.
#[test]
fn exec_with_many_arguments() {
    let program = Program::new(victim("many_arguments"));
    let plain = program.plain().expect_status(5);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        // The fourth program gets an environment of its own, without Weir.
        assert_eq!(outcome.processes().len(), 3);
    }
}

/// PATH leads to a file that is not a program: the C library runs it by a shell.
#[test]
fn execvp_of_a_script_without_an_interpreter() {
    let folder = crate::support::scratch();
    let script = folder.path().join("plain-script");
    std::fs::write(&script, "echo it is a script: $1\n").expect("a script");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("permissions");
    let program = Program::new("/usr/bin/env")
        .arg("plain-script")
        .arg("indeed")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "it is a script: indeed\n");
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

#[test]
fn vfork_and_posix_spawn() {
    let program = Program::new(victim("spawns")).arg(victim("ways_to_exit"));
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        assert_eq!(Account::expect_all_in(&outcome), 7);
        assert_eq!(outcome.processes().len(), 7, "{mode:?}");
    }
}

/// Children for which no handler of fork is called are images of their own all the same.
#[test]
fn clone_and_its_system_call() {
    let program = Program::new(victim("clones"));
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_status(0);
        let processes = outcome.processes();
        assert_eq!(processes.len(), 9, "{mode:?}");
        for process in &processes {
            assert_eq!(process.functions["write"].calls, 1000, "{mode:?}");
            assert_eq!(process.missed.notes, [""; 0], "{mode:?}");
        }
        let parent = processes.iter().find(|process| !process.forked);
        let functions = &parent.expect("it is there").functions;
        assert_eq!(
            (functions["clone"].calls, functions["syscall"].calls),
            (4, 5)
        );
    }
}

/// A shell, a pipeline, a loop of processes: all in one report, in the order of their starts.
#[test]
fn a_tree_of_programs_is_one_report() {
    let script =
        "for n in 1 2 3; do /usr/bin/seq $n 100 | /usr/bin/sort -n | /usr/bin/tail -1; done";
    let program = Program::new("/bin/sh").args(["-c", script]);
    let plain = program.plain().expect_status(0);
    let outcome = program.run(Mode::Run).expect_same(&plain);
    assert_eq!(outcome.reports.len(), 1);
    let report = &outcome.reports[0];
    let ran = |name: &str| {
        report
            .processes
            .iter()
            .filter(|image| Path::new(&image.executable).ends_with(name) && !image.forked)
            .count()
    };
    assert_eq!((ran("seq"), ran("sort"), ran("tail")), (3, 3, 3));
    let starts: Vec<u64> = report
        .processes
        .iter()
        .map(|image| image.started_unix_ns)
        .collect();
    assert!(starts.is_sorted());
    // The totals are the sums.
    for (name, total) in &report.functions {
        let sum: u64 = report
            .processes
            .iter()
            .filter_map(|image| image.functions.get(name))
            .map(|function| function.calls)
            .sum();
        assert_eq!(total.calls, sum, "{name}");
    }
    // And the functions are those that were called.
    let called = report.processes.iter();
    let called = called.flat_map(|image| image.functions.keys().map(String::as_str));
    let named: BTreeSet<&str> = called.collect();
    assert!(report.functions.keys().map(String::as_str).eq(named));
    assert_eq!(
        report.heap.live_bytes,
        report
            .processes
            .iter()
            .map(|image| image.heap.live_bytes)
            .sum::<i64>()
    );
}

/// Twenty times, a thread replaces the image while others are in malloc and write.
#[test]
fn exec_from_a_thread() {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim("exec_from_thread"))
            .run(mode)
            .expect_status(8);
        assert_eq!(outcome.complaints(), "");
        let processes = outcome.processes();
        assert_eq!(processes.len(), 21, "{mode:?}");
        let account = Account::of(&outcome.text());
        account.expect_in(processes[20]);
        for image in &processes[..20] {
            assert_eq!(image.end.how, EndKind::Exec, "{mode:?}");
            assert_eq!(image.functions["execv"].calls, 1);
        }
    }
}

/// Three children have their heaps at the same time, and a fourth when they have ended.
#[test]
fn the_peak_of_a_tree_is_that_of_one_moment() {
    const SIZE: u64 = 20_000_000;
    let program = Program::new(victim("heaps_at_once")).arg(SIZE.to_string());
    let outcome = program.run(Mode::Run).expect_status(0);
    let [report] = &outcome.reports[..] else {
        panic!("one report");
    };
    let peak = report.tree_peak.as_ref().expect("several processes");
    let what = format!("{peak:?}");
    assert!(
        (3 * SIZE..3 * SIZE + SIZE / 4).contains(&peak.live_bytes),
        "{what}"
    );
    assert!(report.heap.peak_bytes > 4 * SIZE, "{what}");
    let large = peak.largest.iter().filter(|part| part.live_bytes > SIZE);
    assert_eq!(large.count(), 3, "{what}");
    assert!(peak.at_ns < report.duration_ns, "{what}");

    // One process has a peak of its own.
    let outcome = Program::new(victim("does_little"))
        .run(Mode::Run)
        .expect_status(0);
    assert!(
        outcome
            .reports
            .iter()
            .all(|report| report.tree_peak.is_none())
    );
}
