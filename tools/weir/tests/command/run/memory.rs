//! Weir under a limit on memory: whatever becomes of the report, it waits for the program and ends as it does.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output};
use std::thread;

use super::{Place, silent, text};

/// As `ulimit -d` does, in KiB; the hard limit alike, or none.
fn limit_data(command: &mut Command, kib: u64, is_hard: bool) {
    let bytes = kib * 1024;
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: if is_hard { bytes } else { libc::RLIM_INFINITY },
    };
    // SAFETY: a limit of the child, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::setrlimit(libc::RLIMIT_DATA, &limit);
            Ok(())
        });
    }
}

/// Calls `check` with each of these, four at a time: programs that mostly wait. What it has returned, in their order.
fn beside_each_other<T: Copy + Send + Sync, R: Send>(
    cases: &[T],
    check: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let check = &check;
    let four = |some: &[T]| -> Vec<R> {
        thread::scope(|scope| {
            let start = |&case| scope.spawn(move || check(case));
            let started: Vec<_> = some.iter().map(start).collect();
            let ended = started.into_iter();
            ended.map(|one| one.join().expect("checked")).collect()
        })
    };
    cases.chunks(4).flat_map(four).collect()
}

/// Starts processes, asks weir to end, and where that is passed on, starts the last one and ends so.
fn run(kib: u64, is_hard: bool, end: &str) -> (Place, Output) {
    let place = Place::new();
    let script = format!(
        "trap 'uname > uname.txt; {end}' TERM
         for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep .01; done
         setsid kill -TERM $PPID
         for i in 1 2 3 4 5 6 7 8 9 10; do sleep .1; done"
    );
    let mut command = place.run(&["--interval", "0.02"], &["sh", "-c", &script]);
    limit_data(&mut command, kib, is_hard);
    let output = command.output().expect("ended");
    (place, output)
}

#[test]
fn where_weir_has_no_memory_it_waits_for_the_program_and_ends_as_it_does() {
    let ends = [
        ("exit 3", Some(3), None),
        ("kill -KILL $$", None, Some(libc::SIGKILL)),
    ];
    // Less than the first, and the shell does not start.
    let limits = (1600..4000).step_by(150);
    let cases: Vec<_> = limits
        .flat_map(|kib| ends.map(|(end, status, signal)| (kib, end, status, signal)))
        .collect();
    // Of those without memory for the report: whether the last process is among what is left.
    let left = beside_each_other(&cases, |(kib, end, status, signal)| {
        let (place, output) = run(kib, true, end);
        let said = text(&output.stderr);
        let ended = (output.status.code(), output.status.signal());
        assert_eq!(ended, (status, signal), "at {kib} KiB: {said}");
        if said.is_empty() {
            place.report();
            return None;
        }
        let words = "weir: not enough memory for the report: ";
        // The C library may have a line of its own.
        let of_weir = said.lines().filter(|line| line.starts_with(words));
        assert_eq!(of_weir.count(), 1, "{said}");
        let left = place.settle(super::weir(["recover"])).output();
        let listed = text(&left.expect("ended").stdout);
        assert!(
            listed.contains("(sh), report in "),
            "at {kib} KiB: {listed}"
        );
        Some(listed.contains("(uname), report in "))
    });
    let left: Vec<bool> = left.into_iter().flatten().collect();
    let without_memory = left.len();
    let without_the_last = left.iter().filter(|has_the_last| !**has_the_last).count();
    assert!(without_memory > 0, "no limit was too small for weir");
    // Most limits are too small for weir before the last process starts: its region is still taken.
    assert!(
        4 * without_the_last < without_memory,
        "{without_the_last} of {without_memory}"
    );
}

/// The memory is enough while the program runs, and not for the report of all that ran at its end.
#[test]
fn what_there_is_no_memory_to_report_is_left() {
    let others: Vec<usize> = (16..=40).step_by(4).collect();
    let without_memory = beside_each_other(&others, |others| {
        let place = Place::new();
        let script = format!(
            "i=0; while [ $i -lt {others} ]; do sleep 2 & i=$((i+1)); done; sleep .4; exit 3"
        );
        let mut command = place.run(&[], &["sh", "-c", &script]);
        limit_data(&mut command, 1600, true);
        let output = command.output().expect("ended");
        assert_eq!(output.status.code(), Some(3));
        let is_without_memory = !text(&output.stderr).is_empty();
        if is_without_memory {
            let left = place.settle(super::weir(["recover"])).output();
            let listed = text(&left.expect("ended").stdout);
            let regions = listed.matches(".region").count();
            assert!(regions > others, "{others}: {listed}");
        }
        is_without_memory
    });
    let without_memory = without_memory.into_iter().filter(|is_so| *is_so).count();
    assert!(without_memory > 1, "{without_memory}");
}

#[test]
fn other_commands_say_in_one_line_that_there_is_no_memory() {
    let mut refusals = 0;
    for kib in (200..800).step_by(50) {
        let mut command = super::weir(["schema"]);
        limit_data(&mut command, kib, true);
        let output = command.output().expect("ended");
        // Under the lowest limits the kernel cannot map the command itself, or the C library cannot begin in it.
        let is_not_begun = output.status.signal() == Some(libc::SIGSEGV)
            || text(&output.stderr).starts_with("Fatal glibc error: ");
        if output.status.success() || is_not_begun {
            continue;
        }
        let (code, line) = super::refusal(&output);
        assert_eq!(code, 125);
        assert!(line.starts_with("not enough memory: "), "{line}");
        refusals += 1;
    }
    assert!(refusals > 1, "{refusals}");
}

/// It is for the program.
#[test]
fn a_soft_limit_does_not_hold_for_weir() {
    let limits: Vec<u64> = (1600..4000).step_by(400).collect();
    beside_each_other(&limits, |kib| {
        let (place, output) = run(kib, false, "exit 3");
        assert_eq!(silent(&output), "", "at {kib} KiB");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(place.report().end.status, Some(3));
    });
}

/// The names of the programs in the reports that `weir recover` makes of what is left, in order.
fn recovered(place: &Place) -> Vec<String> {
    let output = place.settle(super::weir(["recover", "--clean"])).output();
    let listed = text(&output.expect("ended").stdout);
    let name = |line: &str| {
        Some(
            line.split_once("), report in ")?
                .0
                .rsplit_once('(')?
                .1
                .to_owned(),
        )
    };
    let mut names: Vec<String> = listed.lines().filter_map(name).collect();
    names.sort();
    names
}

/// The program takes addresses from weir: enough are left for the regions of three processes.
#[test]
fn a_region_that_there_are_no_addresses_for_is_kept() {
    const OTHERS: usize = 20;
    let place = Place::new();
    let script = format!(
        "prlimit --pid $PPID --as=900000000:
         i=0; while [ $i -lt {OTHERS} ]; do sleep 1 & i=$((i+1)); done; wait; exit 3"
    );
    let output = place.run_shell(&script).output().expect("ended");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let report = place.report();
    let executables = report
        .processes
        .iter()
        .map(|process| process.executable.as_str());
    let reported = executables.filter(|of| of.ends_with("/sleep")).count();
    assert!(reported < OTHERS, "{reported}");
    let left = recovered(&place);
    let first = format!("weir: {} regions are in no report and kept; ", left.len());
    assert!(said.starts_with(&first), "{said}");
    let sleeps = left.iter().filter(|name| *name == "sleep").count();
    assert_eq!(reported + sleeps, OTHERS, "{left:?}");
}

/// The program takes from weir what it needs to write the report.
#[test]
fn where_no_report_can_be_written_the_regions_are_kept() {
    beside_each_other(&["--fsize=0", "--nofile=3"], |limit| {
        let place = Place::new();
        let script = format!("sleep 2 & sleep 1; prlimit --pid $PPID {limit}:; exit 3");
        let output = place.run_shell(&script).output().expect("ended");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{limit}: {said}");
        std::thread::sleep(std::time::Duration::from_secs(2));
        let left = recovered(&place);
        let last = format!("weir: {} regions are in no report and kept; ", left.len());
        assert!(said.contains(&last), "{limit}: {said}{left:?}");
        for name in ["sh", "sleep"] {
            assert!(left.iter().any(|of| of == name), "{limit}: {left:?}");
        }
    });
}
