//! Nobody can see from outside whether a program is measured: it has the same output, the same files and the same
//! end, even if something is scarce, full, closed or forbidden.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::real::{self, Real};
use crate::support::scarce::{self, bound_by_permissions};
use crate::support::{Mode, Outcome, Program, files, scratch, victim, weir};

/// Runs a real program in a folder of its own. Also returns the files that are there afterwards.
fn run(
    real: &Real,
    mode: Mode,
    change: &dyn Fn(Program) -> Program,
) -> (Outcome, BTreeMap<String, Vec<u8>>) {
    let folder = real.folder();
    let program = change(real.program().in_folder(folder.path()));
    let outcome = program.run(mode);
    (outcome, files(folder.path()))
}

/// The program does the same under Weir, in both modes, with this change to its surroundings.
#[track_caller]
fn expect_same(name: &str, change: &dyn Fn(Program) -> Program) {
    let real = Real::named(name);
    let (plain, plain_files) = run(real, Mode::Plain, change);
    for mode in Mode::MEASURED {
        let (outcome, files) = run(real, mode, change);
        outcome.expect_same(&plain);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&files), names(&plain_files), "{name}, {mode:?}");
        let differing = files
            .iter()
            .find(|&(name, content)| plain_files[name] != *content);
        assert!(
            differing.is_none(),
            "{name}, {mode:?}: {:?} differs",
            differing.map(|pair| pair.0)
        );
    }
}

#[test]
fn real_programs() {
    for real in real::ALL {
        expect_same(real.name, &|program| program);
    }
}

#[test]
fn real_programs_with_every_call_timed() {
    for name in ["sort in two threads", "git", "python3"] {
        expect_same(name, &|program| program.env("WEIR_TIME", "all"));
    }
}

#[test]
fn real_programs_with_a_report_every_moment() {
    for name in ["sort in two threads", "git", "python3"] {
        expect_same(name, &|program| program.env("WEIR_INTERVAL", "0.01"));
    }
}

/// The programs for the tests with many different surroundings.
const FEW: [&str; 8] = [
    "sort in two threads",
    "sort in eight threads",
    "gzip",
    "tar",
    "sqlite3",
    "git",
    "gcc",
    "python3",
];

#[track_caller]
fn expect_few_same(change: &dyn Fn(Program) -> Program) {
    for name in FEW {
        expect_same(name, &|program| change(program.without_reports()));
    }
}

#[test]
fn a_report_folder_that_is_missing() {
    expect_few_same(&|program| program.env("WEIR_OUT", "/no/such/folder/%p.json"));
}

#[test]
fn a_report_folder_that_is_a_file() {
    expect_few_same(&|program| program.env("WEIR_OUT", "/etc/passwd/%p.json"));
}

#[test]
fn a_report_folder_that_may_not_be_written() {
    let folder = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).expect("permissions");
    let out = folder.path().join("%p.json");
    expect_few_same(&|program| bound_by_permissions(program.env("WEIR_OUT", &out)));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_working_directory_that_may_not_be_written() {
    let folder = scratch();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).expect("permissions");
    let program = bound_by_permissions(
        Program::new("/bin/ls")
            .arg("/usr/include")
            .in_folder(folder.path())
            .without_reports(),
    );
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

#[test]
fn a_report_folder_that_is_full() {
    let folder = scratch();
    let out = folder.path().join("%p.json");
    expect_few_same(&|program| scarce::full(program.env("WEIR_OUT", &out), folder.path()));
}

#[test]
fn a_full_dev_shm() {
    let place = Path::new("/dev/shm");
    expect_few_same(&|program| scarce::full(program.env("WEIR_REGION_DIR", place), place));
}

#[test]
fn a_region_folder_that_is_missing() {
    expect_few_same(&|program| program.env("WEIR_REGION_DIR", "/no/such/folder"));
}

#[test]
fn little_address_space() {
    for mebibytes in [64, 100, 200, 400, 1000] {
        let limit = format!("--as={}", mebibytes << 20);
        for name in FEW {
            expect_same(name, &|program| {
                scarce::limited(&program, &[&limit]).without_reports()
            });
        }
    }
}

#[test]
fn few_descriptors() {
    for descriptors in [4, 5, 6, 8, 12, 20] {
        let limit = format!("--nofile={descriptors}");
        // The messages of git and gcc contain names of folders and files, which differ each time.
        let named = |name: &&str| *name == "git" || *name == "gcc";
        for name in FEW.into_iter().filter(|name| !named(name)) {
            expect_same(name, &|program| {
                scarce::limited(&program.without_reports(), &[&limit])
            });
        }
    }
}

#[test]
fn small_files() {
    for bytes in [0, 1, 4096, 100_000, 1_000_000] {
        let limit = format!("--fsize={bytes}");
        expect_few_same(&|program| scarce::limited(&program, &[&limit]));
    }
}

#[test]
fn few_processes() {
    expect_few_same(&|program| scarce::limited(&program, &["--nproc=1"]));
}

#[test]
fn little_memory_to_lock_and_small_stacks() {
    expect_few_same(&|program| scarce::limited(&program, &["--memlock=0", "--stack=262144"]));
}

/// Every combination of closed standard descriptors, closed before the program or `weir run` starts.
#[test]
fn closed_standard_descriptors() {
    for combination in 1..8 {
        let closed = (0..3).filter(move |fd| combination & 1 << fd != 0);
        expect_standing_same(&|program| scarce::closed(program, closed.clone()));
    }
}

#[test]
fn real_programs_with_closed_standard_descriptors() {
    for name in FEW {
        for closed in [0, 1, 2] {
            expect_same(name, &|program| {
                scarce::closed(program.without_reports(), std::iter::once(closed))
            });
        }
    }
}

/// Weir passes on everything that a program inherits.
#[test]
fn everything_that_a_process_inherits() {
    expect_standing_same(&|program| program);
    expect_standing_same(&|program| program.args(["", "a b", "\u{e9}\n", "--quiet", "-o"]));
    expect_standing_same(&|program| program.env("EMPTY", "").env("WITH_EQUALS", "a=b=c"));
    expect_standing_same(&|program| {
        program.before_exec(|| {
            // SAFETY: system calls on this process, with sets that live until the calls return.
            unsafe {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                libc::signal(libc::SIGINT, libc::SIG_IGN);
                libc::signal(libc::SIGQUIT, libc::SIG_IGN);
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                libc::signal(libc::SIGTSTP, libc::SIG_IGN);
                let mut blocked = std::mem::zeroed();
                libc::sigaddset(&raw mut blocked, libc::SIGUSR1);
                libc::sigaddset(&raw mut blocked, libc::SIGTERM);
                libc::sigaddset(&raw mut blocked, libc::SIGCHLD);
                libc::sigprocmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
                libc::umask(0o027);
                libc::setpriority(libc::PRIO_PROCESS, 0, 5);
                libc::dup2(0, 40);
            }
            Ok(())
        })
    });
}

#[track_caller]
fn expect_standing_same(change: &dyn Fn(Program) -> Program) {
    let folder = scratch();
    let run = |mode| {
        let program = Program::new(victim("standing"))
            .in_folder(folder.path())
            .without_reports();
        let outcome = change(program).run(mode);
        let standing = fs::read_to_string(folder.path().join("standing")).expect("what it found");
        fs::remove_file(folder.path().join("standing")).expect("a file");
        (outcome, standing)
    };
    let (plain, standing) = run(Mode::Plain);
    for mode in Mode::MEASURED {
        let (outcome, measured) = run(mode);
        assert_eq!(measured, standing, "{mode:?}");
        outcome.expect_same(&plain);
    }
}

/// The reader of a pipe ends: SIGPIPE ends the program, with and without Weir.
#[test]
fn a_closed_pipe() {
    let script = "/usr/bin/seq 1 1000000 | /usr/bin/head -1; echo ${PIPESTATUS[@]}";
    let program = Program::new("/bin/bash")
        .args(["-c", script])
        .without_reports();
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "1\n141 0\n");
    for mode in Mode::MEASURED {
        program.run(mode).expect_same(&plain);
    }
}

/// Where the file system of the regions has no room for the first files of the table, they get it when there is some: here the program
/// itself makes it.
#[test]
fn room_for_files_comes_later() {
    let folder = scratch();
    let tiny = folder.path().join("tiny");
    fs::create_dir(&tiny).expect("made");
    let script = "mount -t tmpfs -o size=256k none \"$0\" || exit 90
        for pages in 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60; do
            dd if=/dev/zero of=\"$0/fill\" bs=4k count=$pages 2>/dev/null || exit 91
            WEIR_REGION_DIR=$0 WEIR_OUT=report.json LD_PRELOAD=$1 rm \"$0/fill\" </dev/null || echo \"$pages: $?\"
        done";
    let program = Program::new("/usr/bin/unshare")
        .args(["--map-root-user", "--mount", "/bin/sh", "-c", script])
        .arg(&tiny)
        .arg(weir::library());
    let outcome = program.run(Mode::Plain).expect_status(0);
    assert_eq!(outcome.text(), "");
}
