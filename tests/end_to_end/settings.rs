//! The environment variables of the library: valid, not valid, and impossible to use.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_record::region::Circumstance;
use weir_report::model::{EndKind, Process, Report};

use crate::support::program::report_files;
use crate::support::recover::region_files;
use crate::support::{Account, Mode, Outcome, Program, scratch, victim, weir};

fn fortified() -> Program {
    Program::new(victim("fortified"))
}

#[track_caller]
fn load(path: &Path) -> Report {
    weir_report::read::load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.collect()
}

/// Runs the program in the bare mode, for tests that look for the report themselves.
fn bare(program: Program) -> Outcome {
    program.without_reports().run(Mode::Bare).expect_status(0)
}

#[test]
fn the_default_is_a_report_in_the_working_directory() {
    let folder = scratch();
    let outcome = bare(fortified().in_folder(folder.path()));
    let pid = Account::of(&outcome.text()).pid;
    let expected = folder.path().join(format!("weir.fortified.{pid}.json"));
    assert_eq!(report_files(folder.path()), std::slice::from_ref(&expected));
    assert_eq!(load(&expected).timed_one_in, 128);
}

#[test]
fn out_names_the_report() {
    let folder = scratch();
    let pattern = folder.path().join("100%%-%e-%p.txt");
    let outcome = bare(fortified().env("WEIR_OUT", pattern));
    let pid = Account::of(&outcome.text()).pid;
    let report = load(&folder.path().join(format!("100%-fortified-{pid}.txt")));
    assert_eq!(report.processes[0].pid, pid);
}

/// A path without %p: the next run replaces the report, and a forked child adds its pid to the name.
#[test]
fn out_without_a_pid_is_replaced_and_children_add_theirs() {
    let folder = scratch();
    let out = folder.path().join("report.json");
    let program = Program::new(victim("fork_without_handlers")).env("WEIR_OUT", &out);
    for round in 1..=2 {
        let outcome = bare(program.clone());
        let accounts = Account::all(&outcome.text());
        let [child, parent] = &accounts[..] else {
            panic!("two accounts")
        };
        assert_eq!(load(&out).processes[0].pid, parent.pid);
        let of_child = folder.path().join(format!("report.{}.json", child.pid));
        assert_eq!(load(&of_child).processes[0].pid, child.pid);
        assert_eq!(files_in(folder.path()).len(), 1 + round);
    }
}

/// A path without %p is the first image's. Those that it starts, and that it becomes, add their pids: no report replaces another of
/// the run. The next run replaces the first one's.
#[test]
fn out_without_a_pid_is_that_of_the_first_image() {
    let folder = scratch();
    let out = folder.path().join("report.json");
    let shell = |commands: &str| {
        let program = Program::new("/bin/sh").args(["-c", commands]);
        program.env("WEIR_OUT", &out)
    };
    for round in 1..=2 {
        bare(shell("/bin/true; (exec /bin/echo); exec /bin/ls /"));
        let report = load(&out);
        assert_eq!(report.processes[0].end.how, EndKind::Exec);
        let names = files_in(folder.path());
        let reports: Vec<Report> = names.iter().map(|name| load(name)).collect();
        let of = |program: &str| {
            let images = reports.iter().flat_map(|report| &report.processes);
            let ends_so = |image: &&Process| image.executable.ends_with(program) && !image.forked;
            images.filter(ends_so).count()
        };
        for program in ["/true", "/echo", "/ls"] {
            assert_eq!(of(program), round, "{program}: {names:?}");
        }
        // That of the first round was replaced.
        let first = &report.processes[0].executable;
        assert_eq!(of(first), 1, "{names:?}");
    }
}

/// A path that ends with a slash is a directory, which is made; its reports are read as one.
#[test]
fn out_can_be_a_directory() {
    let folder = scratch();
    let reports = folder.path().join("of this week/run 1/");
    let program = Program::new(victim("fork_without_handlers")).env("WEIR_OUT", &reports);
    let outcome = bare(program);
    let accounts = Account::all(&outcome.text());
    assert_eq!(accounts.len(), 2);
    assert_eq!(files_in(&reports).len(), 2);
    let one = folder.path().join("one.json");
    let merged = Command::new(weir::command())
        .args(["merge", "--one-run", "--out"])
        .args([&one, &reports])
        .status()
        .expect("weir runs");
    assert!(merged.success());
    let report = load(&one);
    assert_eq!((report.processes.len(), report.runs), (2, 1));
    for account in &accounts {
        let its = report.processes.iter().find(|of| of.pid == account.pid);
        account.expect_in(its.expect("each process is in the report"));
    }
    let calls: u64 = report
        .processes
        .iter()
        .map(|of| of.functions["malloc"].calls)
        .sum();
    assert_eq!(report.functions["malloc"].calls, calls);
    assert_eq!(report.end.status, Some(0));
}

/// So is a directory that is there, without a slash.
#[test]
fn out_may_be_a_directory_that_is_there() {
    let folder = scratch();
    let program = Program::new(victim("fork_without_handlers")).env("WEIR_OUT", folder.path());
    let accounts = Account::all(&bare(program).text());
    for account in accounts {
        let name = format!("weir.fork_without_handlers.{}.json", account.pid);
        assert_eq!(
            load(&folder.path().join(name)).processes[0].pid,
            account.pid
        );
    }
    assert_eq!(files_in(folder.path()).len(), 2);
}

/// What is no file takes all reports, and nothing is made beside it.
#[test]
fn out_may_be_a_device() {
    let program = Program::new(victim("fork_without_handlers")).env("WEIR_OUT", "/dev/null");
    let accounts = Account::all(&bare(program).text());
    assert_eq!(accounts.len(), 2);
    for account in accounts {
        let beside = format!("/dev/null.{}", account.pid);
        assert!(!Path::new(&beside).exists(), "{beside}");
    }
}

/// With %p, existing reports are kept: several images of a process have the same pid.
#[test]
fn out_with_a_pid_keeps_what_is_there() {
    let folder = scratch();
    let program = Program::new(victim("many_arguments"))
        .env("WEIR_OUT", folder.path().join("%p.json"))
        .without_reports();
    program.run(Mode::Bare).expect_status(5);
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    let pid = names[0].split('.').next().expect("a pid").to_owned();
    // The fourth image has an environment of its own, without Weir.
    let expected = [".1", ".2", ""].map(|number| format!("{pid}{number}.json"));
    assert_eq!(names, expected);
}

#[test]
fn time_says_what_is_timed() {
    for (value, one_in) in [("all", 1), ("1", 1), ("7", 7), ("off", 0)] {
        let outcome = Program::new(victim("allocation_calls"))
            .env("WEIR_TIME", value)
            .run(Mode::Bare)
            .expect_status(0);
        assert_eq!(outcome.reports[0].timed_one_in, one_in);
        // Everything is counted, whatever is timed.
        Account::of(&outcome.text()).expect_in(outcome.process());
        for (name, function) in &outcome.process().functions {
            let timed = function.latency.as_ref().map_or(0, |latency| latency.timed);
            match one_in {
                1 => assert_eq!(timed, function.calls, "{name}"),
                0 => assert_eq!(timed, 0, "{name}"),
                _ => assert!(timed < function.calls.max(20), "{name}: {timed}"),
            }
        }
    }
}

/// All I/O calls are timed, and some of the allocation calls.
#[test]
fn by_default_every_io_call_is_timed() {
    let outcome = Program::new(victim("file_calls"))
        .run(Mode::Bare)
        .expect_status(0);
    for (name, function) in &outcome.process().functions {
        let timed = function.latency.as_ref().map_or(0, |latency| latency.timed);
        assert_eq!(timed, function.calls, "{name}");
    }
}

/// A killed program leaves the reports of all earlier intervals. One program has a thread that sleeps; the other has
/// a single thread, which makes calls.
#[test]
fn interval_writes_while_the_program_runs() {
    const SLEEPS: &str =
        "import threading, time; threading.Thread(target=time.sleep, args=[60]).start()";
    const CALLS: &str = "while :; do read x < /dev/null; done";
    expect_reports_of(Program::new("/usr/bin/python3").args(["-c", SLEEPS]));
    expect_reports_of(Program::new("/bin/sh").args(["-c", CALLS]));
}

#[track_caller]
fn expect_reports_of(program: Program) {
    let folder = scratch();
    let program = program
        .env("WEIR_INTERVAL", "0.05")
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path());
    let mut command = program.command(Mode::Bare, Path::new(""));
    let mut child = command
        .current_dir(folder.path())
        .spawn()
        .expect("sleep runs");
    let appeared = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        !report_files(folder.path()).is_empty()
    });
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
    assert!(appeared, "no report in ten seconds");
    let report = load(&report_files(folder.path())[0]);
    assert_eq!(report.end.how, weir_report::model::EndKind::Running);
}

#[test]
fn region_dir_holds_the_region() {
    let regions = scratch();
    let program = Program::new(victim("ways_to_exit"))
        .arg("SIGKILL")
        .env("WEIR_REGION_DIR", regions.path())
        .without_reports();
    let outcome = program.run(Mode::Bare);
    let pid = Account::of(&outcome.text()).pid;
    let files = region_files(regions.path());
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert!(name.starts_with(&format!("weir.{pid}.")), "{name}");
}

/// The program continues, one line names the value, the report has a note, and the default applies.
#[test]
fn a_bad_value_is_named_and_its_default_used() {
    for (name, value) in [
        ("WEIR_TIME", "sometimes"),
        ("WEIR_TIME", "0"),
        ("WEIR_TIME", "-1"),
        ("WEIR_TIME", "99999999999999999999"),
        ("WEIR_TIME", "\u{1b}[31m"),
        ("WEIR_INTERVAL", "often"),
        ("WEIR_INTERVAL", "0.0001"),
        ("WEIR_INTERVAL", "1e3"),
        ("WEIR_INTERVAL", "nan"),
    ] {
        let plain = fortified().plain();
        let outcome = fortified().env(name, value).run(Mode::Bare);
        assert_eq!(outcome.status, plain.status);
        let complaints = outcome.complaints();
        assert!(
            complaints.starts_with("weir: ") && complaints.lines().count() == 1,
            "{name}={value}: {complaints:?}"
        );
        assert!(complaints.contains(name), "{complaints:?}");
        assert!(
            complaints.ends_with('\n') && !complaints.contains('\u{1b}'),
            "{complaints:?}"
        );
        let process = outcome.process();
        Account::of(&outcome.text()).expect_in(process);
        assert_eq!(outcome.reports[0].timed_one_in, 128);
        assert!(
            !process.missed.notes.is_empty(),
            "{:?} is noted",
            Circumstance::BadSetting
        );
    }
}

/// Paths that cannot be used, and values as long as an environment permits.
#[test]
fn places_that_cannot_be_used_do_no_harm() {
    let plain = fortified().plain();
    let own_lines = |outcome: &Outcome| outcome.text().lines().count();
    let long = "x".repeat(100_000);
    for name in ["WEIR_OUT", "WEIR_REGION_DIR", "WEIR_SESSION"] {
        for value in [
            "/no/such/folder/x",
            "/dev/full",
            "/dev/null/x",
            "/proc/x",
            &long,
            "",
            "%",
        ] {
            let program = fortified().env(name, value).without_reports();
            let outcome = program.run(Mode::Bare).expect_status(0);
            assert_eq!(own_lines(&outcome), own_lines(&plain), "{name}={value:.20}");
            let complaints = outcome.complaints();
            assert!(
                complaints.lines().count() <= 1 && complaints.len() < 1000,
                "{name}={value:.20}: {complaints:?}"
            );
        }
    }
}

/// Values that are not UTF-8.
#[test]
fn bytes_that_are_not_utf_8_are_a_path_like_others() {
    use std::os::unix::ffi::OsStrExt;
    let folder = scratch();
    let out = folder
        .path()
        .join(std::ffi::OsStr::from_bytes(b"caf\xe9-%p"));
    let outcome = bare(fortified().env("WEIR_OUT", out));
    let pid = Account::of(&outcome.text()).pid;
    let mut name = b"caf\xe9-".to_vec();
    name.extend(pid.to_string().bytes());
    assert_eq!(
        load(&folder.path().join(std::ffi::OsStr::from_bytes(&name))).processes[0].pid,
        pid
    );
}
