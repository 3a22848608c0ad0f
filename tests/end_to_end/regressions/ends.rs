//! All forms of a process's end: each leaves one report, and nothing else.

use std::path::Path;
use std::process::Command;

use weir_report::model::EndKind;

use crate::support::program::report_files;
use crate::support::recover::{recover, region_files};
use crate::support::strace::run_under;
use crate::support::{Mode, Program, scratch, succeed, victim};

/// How many reports a program writes that ends with this many streams of each kind.
fn reports_written(streams: u32) -> usize {
    let folder = scratch();
    let program = Program::new(victim("many_streams"))
        .arg(streams.to_string())
        .env("WEIR_REGION_DIR", folder.path());
    let traced = program.command(Mode::Bare, Path::new(""));
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=rename,renameat,renameat2,link,linkat",
            "-o",
        ])
        .arg(&trace);
    run_under(&mut strace, &traced);
    let status = strace
        .current_dir(folder.path())
        .status()
        .expect("strace runs");
    assert_eq!(status.code(), Some(4));
    assert!(region_files(folder.path()).is_empty(), "the region stays");
    let report = weir_report::read::load(&report_files(folder.path())[0]).expect("a report");
    let functions = &report.processes[0].functions;
    let streams = u64::from(streams);
    assert_eq!(functions["_IO_file_write"].calls, 2 * streams);
    assert_eq!(functions["_IO_file_write"].moved_bytes, 13 * streams);
    assert_eq!(functions["_IO_file_seek"].calls, streams);
    let trace = std::fs::read_to_string(trace).expect("a trace");
    trace.lines().filter(|line| line.ends_with("= 0")).count()
}

/// The report contains what the last stream did, and is not written once for each stream.
#[test]
fn many_streams_at_exit() {
    let few = reports_written(3);
    assert!(few <= 6, "{few} reports");
    assert_eq!(reports_written(100), few);
}

/// ext4 writes a file that takes the place of another to the disk at once, and the next one that takes its place waits for
/// that, with the directory locked: then a child of the program waits too, that writes its own report there.
#[test]
fn a_replaced_report_is_freed_when_the_directory_is_unlocked() {
    let folder = scratch();
    let report = folder.path().join("replaced.json");
    std::fs::write(&report, "{}").expect("a file");
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=openat,renameat,close", "-o"])
        .arg(&trace);
    let program = Program::new("/bin/true").command(Mode::Run, &report);
    run_under(&mut strace, &program);
    succeed(&mut strace, b"");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    let calls: Vec<&str> = trace.lines().collect();
    let of = |what: &str, from: usize| {
        let found = calls[from..].iter().position(|call| call.contains(what));
        from + found.unwrap_or_else(|| panic!("no {what} in {trace}"))
    };
    let replaced = of("renameat(", 0);
    let opens = |call: &&str| call.contains("\"replaced.json\"") && call.contains("O_PATH");
    let held = calls[..replaced].iter().rposition(opens).expect("an open");
    let (_, fd) = calls[held].rsplit_once("= ").expect("a descriptor");
    let close = format!("close({fd})");
    assert!(of(&close, held) > replaced, "{trace}");
}

/// Paths of what cannot be executed: nothing, a file without the right, a directory, and programs that the kernel refuses when
/// it has looked into them.
fn failures(folder: &Path) -> Vec<String> {
    let of = std::fs::read("/bin/true").expect("a program");
    let changed = |at: usize, bytes: &[u8]| {
        let mut file = of.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let linker = b"/lib64/ld-linux-x86-64.so.2";
    let at = of.windows(linker.len()).position(|part| part == linker);
    let linker = at.expect("a dynamic linker");
    let files: [(&str, Vec<u8>); 6] = [
        ("damaged", b"\x7fELF but no more".to_vec()),
        ("object", changed(16, &[1, 0])),
        ("headerless", changed(56, &[0, 0])),
        (
            "linkerless",
            changed(linker, b"/nonexistent/ld-musl.so.1\0"),
        ),
        ("script", b"#!/nonexistent/interpreter\n".to_vec()),
        (
            "nested",
            format!("#!{}/damaged\n", folder.display()).into_bytes(),
        ),
    ];
    let made = files.into_iter().map(|(name, content)| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("permissions");
        path.display().to_string()
    });
    let others = ["/nonexistent/program", "/etc/passwd", "/usr"];
    others.map(str::to_owned).into_iter().chain(made).collect()
}

#[test]
fn a_failed_exec_changes_nothing() {
    let folder = scratch();
    for path in failures(folder.path()) {
        let program = Program::new(victim("fails_to_exec")).args(["exits", &path]);
        let plain = program.plain().expect_status(6);
        for mode in Mode::MEASURED {
            let outcome = program.run(mode).expect_same(&plain);
            let process = outcome.process();
            assert_eq!(process.functions["dup"].calls, 1100, "{mode:?} {path}");
            assert_eq!(process.end.how, EndKind::Exited);
            assert_eq!(process.functions["execv"].errors, 1);
            assert!(
                process.missed.notes.is_empty(),
                "{path}: {:?}",
                process.missed.notes
            );
        }
    }
}

#[test]
fn a_failed_exec_before_a_kill() {
    let programs = scratch();
    for path in failures(programs.path()) {
        // The kernel opens a directory before it refuses it, and so may execlp find something else to execute.
        if path == "/usr" {
            continue;
        }
        let folder = scratch();
        let program = Program::new(victim("fails_to_exec"))
            .args(["killed", &path])
            .env("WEIR_REGION_DIR", folder.path())
            .in_folder(folder.path())
            .without_reports();
        program.run(Mode::Bare);
        assert!(report_files(folder.path()).is_empty(), "{path}");
        let regions = region_files(folder.path());
        assert_eq!(regions.len(), 1, "{path}");
        let report = recover(&regions[0]);
        assert_eq!(report.processes[0].functions["dup"].calls, 1100);
    }
}

/// A program that does not load the library would leave the region's file for ever, so that is removed before the exec. If the
/// exec then fails, the report that was written for it is all that there is of a process which is killed later.
#[test]
fn an_exec_of_a_static_program_that_fails_at_last() {
    let program = |end: &str| {
        Program::new(victim("fails_to_exec"))
            .arg(end)
            .arg(victim("static"))
            .arg("too long")
    };
    let is_reported = |process: &weir_report::model::Process| {
        let notes = &process.missed.notes;
        notes
            .iter()
            .any(|note| note.contains("an exec that failed had removed it"))
    };
    let plain = program("exits").plain().expect_status(6);
    let outcome = program("exits").run(Mode::Bare).expect_same(&plain);
    assert_eq!(outcome.process().functions["dup"].calls, 1100);
    assert!(is_reported(outcome.process()));
    let outcome = program("killed").run(Mode::Bare);
    let process = outcome.process();
    assert_eq!(process.functions["dup"].calls, 100);
    assert_eq!(process.end.how, EndKind::Running);
    assert!(is_reported(process));
}

/// The limit at which a program gets no more memory, and how much room it leaves below the limit.
const EXHAUSTED: [[&str; 2]; 6] = [
    ["maps", "0"],
    ["maps", "1"],
    ["address", "0"],
    ["address", "40"],
    ["data", "0"],
    ["data", "40"],
];
const ONE_THREAD: [&str; 0] = [];
const TWO_THREADS: [&str; 1] = ["thread"];

/// Checks that the report has as many calls of `write` as `exhausts` itself printed.
fn check_exhausted(process: &weir_report::model::Process, stdout: &[u8]) {
    let said = String::from_utf8_lossy(stdout);
    let writes = said.split(' ').next().expect("a number");
    let write = &process.functions["write"];
    assert_eq!(write.calls.to_string(), writes);
    let latency = write.latency.as_ref().expect("timed");
    assert_eq!(latency.timed, write.calls);
    let latencies = process
        .functions
        .values()
        .filter_map(|of| of.latency.as_ref());
    let dropped: u64 = latencies.map(|latency| latency.dropped).sum();
    assert_eq!(process.missed.dropped_samples, dropped);
}

#[test]
fn no_memory_left_for_the_report() {
    for threads in [&ONE_THREAD[..], &TWO_THREADS] {
        for exhausted in EXHAUSTED {
            let program = Program::new(victim("exhausts"))
                .args(exhausted)
                .args(threads);
            let plain = program.plain().expect_status(9);
            let outcome = program.run(Mode::Bare).expect_same(&plain);
            check_exhausted(outcome.process(), &plain.stdout);
        }
    }
}

/// With a limit on address space from the start, nothing is reserved.
#[test]
fn no_memory_left_and_none_reserved() {
    for threads in [&ONE_THREAD[..], &TWO_THREADS] {
        let mut gave_up = 0;
        for exhausted in EXHAUSTED {
            let folder = scratch();
            let program = Program::new(victim("exhausts"))
                .args(exhausted)
                .args(threads)
                .before_exec(|| {
                    let limit = libc::rlimit {
                        rlim_cur: 8 << 30,
                        rlim_max: libc::RLIM_INFINITY,
                    };
                    // SAFETY: the call reads the limit.
                    match unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } {
                        0 => Ok(()),
                        _ => Err(std::io::Error::last_os_error()),
                    }
                })
                .env("WEIR_REGION_DIR", folder.path())
                .in_folder(folder.path())
                .without_reports();
            let plain = program.plain().expect_status(9);
            program.run(Mode::Bare).expect_same(&plain);
            let regions = region_files(folder.path());
            let report = match &report_files(folder.path())[..] {
                [] => recover(&regions[0]),
                [report] => weir_report::read::load(report).expect("a report"),
                more => panic!("{more:?}"),
            };
            let process = &report.processes[0];
            check_exhausted(process, &plain.stdout);
            let notes = &process.missed.notes;
            let is_reported = notes.iter().any(|note| note.contains("had no memory"));
            assert_eq!(is_reported, !regions.is_empty(), "{exhausted:?} {notes:?}");
            gave_up += usize::from(is_reported);
        }
        assert!(gave_up > 0, "{threads:?}");
    }
}

#[test]
fn what_cannot_load_us_is_reported_without_weir_run_too() {
    let folder = scratch();
    let statically_linked = victim("static");
    let script = format!(
        "{0}; {0}; /bin/true; env -i /bin/true; exit 6",
        statically_linked.display()
    );
    let program = Program::new("/bin/sh")
        .args(["-c", &script])
        .in_folder(folder.path());
    let outcome = program.run(Mode::Bare).expect_status(6);
    let processes = outcome.processes();
    let untraced: Vec<_> = processes
        .iter()
        .flat_map(|process| &process.missed.untraced)
        .collect();
    let of = |name: &str, reason: &str| {
        let is_it = |of: &&&weir_report::model::Untraced| {
            of.program.ends_with(name) && of.reason.contains(reason)
        };
        untraced.iter().filter(is_it).count()
    };
    assert_eq!(of("static", "statically linked"), 2, "{untraced:?}");
    assert_eq!(of("true", "WEIR_FOLLOW"), 1, "{untraced:?}");
    assert_eq!(untraced.len(), 3, "{untraced:?}");
}

/// The parent, which is killed itself, has waited for the child.
#[test]
fn a_killed_child_whose_parent_noted() {
    let folder = scratch();
    let program = Program::new("/bin/bash")
        .args(["-c", "( printf x; kill -KILL $BASHPID ); kill -SEGV $$"])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .without_reports();
    program.run(Mode::Bare);
    let ends = |reports: &[weir_report::model::Report]| {
        let mut ends: Vec<_> = reports
            .iter()
            .map(|report| {
                let process = &report.processes[0];
                let is_child = process
                    .functions
                    .get("fork")
                    .is_none_or(|fork| fork.calls == 0);
                (is_child, process.end.how, process.end.signal)
            })
            .collect();
        ends.sort_by_key(|end| end.0);
        ends
    };
    let expected = [
        (false, EndKind::Unknown, None),
        (true, EndKind::Signaled, Some(libc::SIGKILL)),
    ];
    let regions = region_files(folder.path());
    let one_by_one: Vec<_> = regions.iter().map(|region| recover(region)).collect();
    assert_eq!(ends(&one_by_one), expected);
    let mut all = Command::new(crate::support::weir::command());
    all.arg("recover")
        .env("WEIR_REGION_DIR", folder.path())
        .current_dir(folder.path());
    let (status, _, stderr) = crate::support::finish(&mut all, b"");
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    let reports = report_files(folder.path());
    let load = |path: &std::path::PathBuf| weir_report::read::load(path).expect("a report");
    let together: Vec<_> = reports.iter().map(load).collect();
    assert_eq!(ends(&together), expected);
}

/// The parent has waited for the child and has written its report. Its region is removed, or belongs to the next
/// image.
#[test]
fn a_killed_child_whose_parent_ends_as_any_other() {
    for then in [
        "exit 4",
        "exec /bin/sh -c 'exit 4'",
        "exec /nonexistent; exit 4",
    ] {
        let folder = scratch();
        let script = format!(
            "( printf x; kill -TERM $BASHPID ); ( printf x; kill -KILL $BASHPID ); ( printf x; exit 3 ); {then}"
        );
        let program = Program::new("/bin/bash")
            .args(["-O", "execfail", "-c", &script])
            .env("WEIR_REGION_DIR", folder.path())
            .in_folder(folder.path());
        let outcome = program.run(Mode::Bare).expect_status(4);
        assert_eq!(outcome.text(), "xxx");
        let mut signals: Vec<_> = region_files(folder.path())
            .iter()
            .map(|region| recover(region).processes[0].end.clone())
            .map(|end| (end.how, end.signal))
            .collect();
        signals.sort_by_key(|end| end.1);
        let expected =
            [libc::SIGKILL, libc::SIGTERM].map(|signal| (EndKind::Signaled, Some(signal)));
        assert_eq!(signals, expected, "{then}");
    }
}

/// Nothing is written to another file that has the name of a child's region, or that such a name leads to.
#[test]
fn what_is_not_the_killed_child_s_region_is_not_told() {
    let folder = scratch();
    let script = "( cp --sparse=always weir.$BASHPID.*.region copy; ln -s copy weir.$BASHPID.1.region; \
        mkfifo weir.$BASHPID.2.region; echo text > weir.$BASHPID.3.region; mkdir weir.$BASHPID.4.region; \
        kill -KILL $BASHPID ); exit 4";
    let program = Program::new("/bin/bash")
        .args(["-c", script])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path());
    program.run(Mode::Bare).expect_status(4);
    let mut told = Vec::new();
    for path in region_files(folder.path()) {
        let metadata = path.symlink_metadata().expect("there");
        if metadata.len() == 5 {
            assert_eq!(std::fs::read(&path).expect("read"), b"text\n");
        } else if metadata.is_file() {
            told.push(recover(&path).processes[0].end.signal);
        }
    }
    assert_eq!(told, [Some(libc::SIGKILL)]);
    let copy = recover(&folder.path().join("copy"));
    assert_eq!(copy.processes[0].end.how, EndKind::Unknown);
}

/// The writer's thread does not count as the program's: it does not keep a process alive that all other threads have
/// left.
#[test]
fn the_last_thread_ends_by_a_system_call() {
    let program = Program::new(victim("raw_exit"));
    let plain = program.plain().expect_status(14);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let process = outcome.processes()[0];
        assert_eq!(process.functions["malloc"].calls, 11, "{mode:?}");
    }
}
