//! Executables, command lines and files with names that one does not think of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::{Account, Mode, Program, scratch, victim};

/// A copy of a victim under another name; the folder goes when it is dropped.
fn renamed(name: &str) -> (TempDir, PathBuf) {
    let folder = scratch();
    let path = folder.path().join(name);
    fs::copy(victim("fortified"), &path).expect("a copy");
    (folder, path)
}

#[test]
fn executables_with_odd_names() {
    let long = "n".repeat(200);
    for name in [
        "two words",
        "\u{fc}n\u{ef}",
        "new\nline",
        "%p%e%%",
        "\"quoted\\",
        "-q",
        ".json",
        &long,
    ] {
        let (_folder, path) = renamed(name);
        for mode in Mode::MEASURED {
            let outcome = Program::new(&path).run(mode).expect_status(0);
            assert_eq!(outcome.complaints(), "", "{name:?}");
            let process = outcome.process();
            Account::of(&outcome.text()).expect_in(process);
            assert_eq!(
                process.executable,
                path.to_str().expect("UTF-8"),
                "{name:?}"
            );
        }
    }
}

/// `weir.NAME.PID.json` would be longer than a file name may be.
#[test]
fn an_executable_with_the_longest_name() {
    let (_folder, path) = renamed(&"n".repeat(255));
    for mode in Mode::MEASURED {
        let outcome = Program::new(&path)
            .without_reports()
            .run(mode)
            .expect_status(0);
        assert_eq!(outcome.complaints(), "", "{mode:?}");
    }
    let outcome = Program::new(&path).run(Mode::Run);
    Account::of(&outcome.text()).expect_in(outcome.process());
}

#[test]
fn a_long_command_line() {
    let program = Program::new("/bin/echo").args((0..20_000).map(|n| format!("argument {n}")));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        let command = &outcome.process().command;
        assert_eq!(command[..3], ["/bin/echo", "argument 0", "argument 1"]);
    }
}

#[test]
fn arguments_that_are_not_text() {
    use std::os::unix::ffi::OsStrExt;
    let program = Program::new("/bin/echo").arg(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        let outcome = program.run(mode).expect_same(&plain);
        assert_eq!(outcome.process().command, ["/bin/echo", "caf\u{fffd}"]);
    }
}

/// Where anyone may write, as in /dev/shm, somebody may have put a link where the region is to be: what it leads
/// to stays as it is, and the program is measured all the same.
#[test]
fn a_region_name_that_is_taken() {
    let folder = scratch();
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").expect("a file");
    let regions = folder.path().join("regions");
    fs::create_dir(&regions).expect("a folder");
    // Process ids are given out one after the other.
    let next = std::process::id();
    let own = Program::new("/bin/sh").args(["-c", "echo $$"]).plain();
    let recent: u32 = own.text().trim().parse().unwrap_or(next);
    for pid in recent..recent + 3000 {
        let name = format!("weir.fortified.{pid}.region");
        symlink(&precious, regions.join(name)).expect("a link");
    }
    let outcome = Program::new(victim("fortified"))
        .env("WEIR_REGION_DIR", &regions)
        .run(Mode::Bare)
        .expect_status(0);
    assert_eq!(outcome.complaints(), "");
    let account = Account::of(&outcome.text());
    assert!(
        (recent..recent + 3000).contains(&account.pid),
        "the pid was not foreseen"
    );
    account.expect_in(outcome.process());
    assert_eq!(fs::read_to_string(&precious).expect("a file"), "precious");
}
