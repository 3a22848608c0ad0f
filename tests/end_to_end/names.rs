//! Executables, command lines and files with unusual names.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Account, Mode, Program, scratch, victim, weir};

/// A copy of a victim under another name. The folder is removed when it is dropped.
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

/// `weir.NAME.PID.json` would be longer than the longest file name.
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

/// The name of a process's region. It stays the same when the process executes another program.
fn region_name(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let start = fields.split(' ').nth(19).expect("a start");
    let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).expect("a namespace");
    let text = format!("{start}@{}", namespace.display());
    // FNV-1a.
    let identity = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("weir.{pid}.{identity}.region")
}

/// In a directory that anyone may write to, as /dev/shm, another user may have put a link at the region's path. The
/// link's target stays unchanged, and the program is still measured.
#[test]
fn a_region_name_that_is_taken() {
    let folder = scratch();
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").expect("a file");
    let regions = folder.path().join("regions");
    fs::create_dir(&regions).expect("a folder");
    let report = folder.path().join("report.json");
    let mut waiting = Command::new("/bin/sh")
        .args(["-c", "read go; LD_PRELOAD=$LIBRARY exec \"$@\"", "sh"])
        .arg(victim("fortified"))
        .env("LIBRARY", weir::library())
        .env("WEIR_REGION_DIR", &regions)
        .env("WEIR_OUT", &report)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let pid = waiting.id();
    let link = regions.join(region_name(pid));
    symlink(&precious, &link).expect("a link");
    let mut stdin = waiting.stdin.take().expect("piped");
    stdin.write_all(b"go\n").expect("it waits");
    drop(stdin);
    let output = waiting.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let account = Account::of(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(account.pid, pid);
    let report = weir_report::read::load(&report).expect("a report");
    account.expect_in(&report.processes[0]);
    let left: Vec<_> = fs::read_dir(&regions).expect("there").flatten().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].path(), link);
    assert_eq!(fs::read_to_string(&precious).expect("a file"), "precious");
}
