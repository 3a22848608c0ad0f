//! Regions of images that are gone: one is removed, or left out by `weir recover`, only if its report is written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use weir_report::model::{EndKind, Report};

use crate::support::program::report_files;
use crate::support::recover::{recover_all, region_files};
use crate::support::{Mode, Program, copy_program, finish, scratch, victim, wait_until, weir};

/// How often the only process of a report called pwrite.
fn writes(report: &Report) -> u64 {
    let functions = &report.processes[0].functions;
    functions.get("pwrite").map_or(0, |pwrite| pwrite.calls)
}

fn ends(reports: &[Report]) -> Vec<(u64, EndKind, Option<i32>)> {
    let mut ends: Vec<_> = reports
        .iter()
        .map(|report| {
            let end = &report.processes[0].end;
            (writes(report), end.how, end.signal)
        })
        .collect();
    ends.sort_by_key(|end| end.0);
    ends
}

/// A process that was killed has the counts that only its region has, also where the next process has its id, and starts within the
/// same tick. Its parent notes for each how it ended.
#[test]
fn one_process_id_many_times() {
    const CHILDREN: i32 = 60;
    let folder = scratch();
    Program::new(victim("leaves_regions"))
        .args(["again", &CHILDREN.to_string()])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare)
        .expect_status(0);
    let recovered = recover_all(folder.path()).expect("all are recovered");
    let killed = (0..CHILDREN).filter(|i| i % 3 != 2);
    let expected: Vec<_> = killed
        .map(|i| {
            let signal = [libc::SIGKILL, libc::SIGTERM][(i % 3) as usize];
            ((i + 1) as u64, EndKind::Signaled, Some(signal))
        })
        .collect();
    assert_eq!(ends(&recovered), expected);
}

/// Images that were replaced by a system call which no hook saw have written no report: their regions stay. The signal at the end is
/// that of the last one alone.
#[test]
fn replaced_by_a_system_call() {
    let folder = scratch();
    let script = format!("{} replaced 5; exit 4", victim("leaves_regions").display());
    Program::new("/bin/bash")
        .args(["-c", &script])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare)
        .expect_status(4);
    let recovered = recover_all(folder.path()).expect("all are recovered");
    let mut signals: Vec<_> = recovered
        .iter()
        .filter(|report| writes(report) == 77)
        .map(|report| report.processes[0].end.signal)
        .collect();
    signals.sort_unstable();
    assert_eq!(signals, [None, None, None, None, None, Some(libc::SIGKILL)]);
}

/// A process that is killed while the kernel still opens the program that is to replace it: other threads have counted after the
/// report, and the region alone has that.
#[test]
fn killed_before_it_is_replaced() {
    let folder = scratch();
    let program = folder.path().join("true");
    copy_program(Path::new("/bin/true"), &program);
    let ended = Program::new(victim("leaves_regions"))
        .arg("held")
        .arg(&program)
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare);
    assert_eq!(ended.status.signal(), Some(libc::SIGKILL));
    let written = report_files(folder.path());
    let written: Vec<_> = written
        .iter()
        .map(|file| weir_report::read::load(file).expect("a report"))
        .collect();
    assert_eq!(written.iter().map(writes).collect::<Vec<_>>(), [1]);
    let recovered = recover_all(folder.path()).expect("it is recovered");
    assert_eq!(recovered.iter().map(writes).collect::<Vec<_>>(), [78]);
    let notes = &recovered[0].missed.notes;
    assert!(
        notes.iter().any(|note| note.contains("counted on")),
        "{notes:?}"
    );
}

/// A process that a signal ends after its report, while its streams are emptied. Its region has the last call, and how it ended is not known:
/// not as it meant to.
#[test]
fn ended_by_a_signal_after_its_report() {
    let folder = scratch();
    let ended = Program::new(victim("leaves_regions"))
        .args(["unread", "-"])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare);
    assert_eq!(ended.status.signal(), Some(libc::SIGPIPE));
    let writes = |report: &Report| {
        let functions = &report.processes[0].functions;
        functions
            .get("_IO_file_write")
            .map_or(0, |write| write.calls)
    };
    let [written] = &report_files(folder.path())[..] else {
        panic!("one report");
    };
    let written = weir_report::read::load(written).expect("a report");
    assert_eq!((writes(&written), written.end.status), (0, Some(5)));
    let recovered = recover_all(folder.path()).expect("it is recovered");
    let [recovered] = &recovered[..] else {
        panic!("one report");
    };
    let end = &recovered.processes[0].end;
    assert_eq!((writes(recovered), end.how), (1, EndKind::Unknown));
}

fn recover_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(weir::command());
    command
        .arg("recover")
        .args(arguments)
        .env("WEIR_REGION_DIR", folder)
        .current_dir(folder);
    let (status, stdout, stderr) = finish(&mut command, b"");
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The region of an image is left alone while its process executes another program: that one takes the name.
#[test]
fn one_whose_process_goes_on_is_left_alone() {
    let folder = scratch();
    let program = folder.path().join("set-group-id");
    copy_program(Path::new("/bin/sleep"), &program);
    std::os::unix::fs::chown(&program, None, Some(65_001)).expect("root may");
    fs::set_permissions(&program, Permissions::from_mode(0o2755)).expect("ours");
    let mut command = Program::new("/bin/sh")
        .args(["-c", &format!("exec {} 1000", program.display())])
        .env("WEIR_REGION_DIR", folder.path())
        .command(Mode::Bare, Path::new("not used"));
    let mut sleeps = command
        .current_dir(folder.path())
        .spawn()
        .expect("it starts");
    let name = format!("/proc/{}/comm", sleeps.id());
    let is_replaced = || fs::read_to_string(&name).is_ok_and(|name| name == "set-group-id\n");
    wait_until("it is replaced", is_replaced);
    let looked = recover_in(folder.path(), &["--clean"]);
    let left = region_files(folder.path()).len();
    sleeps.kill().expect("it is ours");
    sleeps.wait().expect("it is ours");
    assert_eq!((looked.0, left), (Some(0), 1), "{}", looked.1);
    assert!(looked.1.contains("still runs"), "{}", looked.1);
    let (status, text) = recover_in(folder.path(), &["--clean"]);
    assert_eq!(
        (status, text.contains("removed")),
        (Some(0), true),
        "{text}"
    );
    assert!(region_files(folder.path()).is_empty());
    assert_eq!(report_files(folder.path()).len(), 1, "that of the shell");
}

/// A directory that WEIR_REGION_DIR names, but in which weir run makes no regions, does not lead weir recover --clean elsewhere.
#[test]
fn regions_in_other_directories_are_left_alone() {
    let [folder, open, other] = [scratch(), scratch(), scratch()];
    fs::set_permissions(open.path(), Permissions::from_mode(0o777)).expect("ours");
    let missing = folder.path().join("missing");
    Program::new("/bin/sh")
        .args(["-c", "kill -9 $$"])
        .env("WEIR_REGION_DIR", other.path())
        .in_folder(folder.path())
        .without_reports()
        .run(Mode::Bare);
    assert_eq!(region_files(other.path()).len(), 1);
    let clean = |set: &Path| {
        let mut command = Command::new(weir::command());
        command
            .args(["recover", "--clean"])
            .env("WEIR_REGION_DIR", set)
            .env("TMPDIR", other.path())
            .current_dir(folder.path());
        let (status, _, stderr) = finish(&mut command, b"");
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    };
    for (set, status, why) in [
        (open.path(), Some(0), "left alone"),
        (&missing, Some(125), "WEIR_REGION_DIR must name"),
    ] {
        let (ended, text) = clean(set);
        assert_eq!((ended, text.lines().count()), (status, 1), "{text}");
        assert!(text.contains(why), "{text}");
        assert_eq!(region_files(other.path()).len(), 1, "{text}");
    }
}

/// Of several weir recover at once, one makes the report of a region.
#[test]
fn each_is_recovered_once() {
    const KILLED: usize = 60;
    let folder = scratch();
    let script = format!("for i in $(seq {KILLED}); do sh -c 'kill -9 $$'; done 2> /dev/null");
    Program::new("/bin/bash")
        .args(["-c", &script])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare);
    let before = report_files(folder.path()).len();
    assert_eq!(region_files(folder.path()).len(), KILLED);
    std::thread::scope(|scope| {
        let looks: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| recover_in(folder.path(), &["--clean"])))
            .collect();
        for look in looks {
            let (status, text) = look.join().expect("it does not panic");
            assert_eq!(status, Some(0), "{text}");
        }
    });
    assert!(region_files(folder.path()).is_empty());
    assert_eq!(report_files(folder.path()).len(), before + KILLED);
}

/// Processes end, and remove their regions, between the moment when weir recover lists these and that when it reads them.
#[test]
fn regions_that_go_while_they_are_looked_for() {
    let folder = scratch();
    let written = folder.path().join("written");
    fs::create_dir(&written).expect("a folder");
    let script = format!(
        "for i in $(seq 400); do WEIR_OUT={}/weir.%p.json LD_PRELOAD={} /bin/true; done",
        written.display(),
        weir::library().display()
    );
    let mut shell = Command::new("/bin/sh")
        .args(["-c", &script])
        .env("WEIR_REGION_DIR", folder.path())
        .spawn()
        .expect("a shell starts");
    let mut looks = 0;
    while shell.try_wait().expect("it is ours").is_none() {
        let (status, text) = recover_in(folder.path(), &["--clean"]);
        assert_eq!(status, Some(0), "{text}");
        looks += 1;
    }
    assert!(looks > 20, "{looks}");
    assert!(region_files(folder.path()).is_empty());
    assert_eq!(report_files(&written).len(), 400);
    assert!(report_files(folder.path()).is_empty(), "a second report");
}

/// A set-user-id program takes no settings from its user, so it does not find the region of the image that it replaces. That has
/// written its report, and `weir recover` makes no second one.
#[test]
fn replaced_by_a_program_with_other_rights() {
    let folder = scratch();
    let program = folder.path().join("set-group-id");
    copy_program(Path::new("/bin/true"), &program);
    std::os::unix::fs::chown(&program, None, Some(65_001)).expect("root may");
    fs::set_permissions(&program, Permissions::from_mode(0o2755)).expect("ours");
    Program::new("/bin/sh")
        .args(["-c", &format!("exec {}", program.display())])
        .env("WEIR_REGION_DIR", folder.path())
        .in_folder(folder.path())
        .run(Mode::Bare)
        .expect_status(0);
    let regions = region_files(folder.path());
    assert_eq!(regions.len(), 1, "{regions:?}");
    let name = regions[0].display().to_string();
    let before = report_files(folder.path()).len();
    let said = "wrote its report when it executed another program";
    let (status, text) = recover_in(folder.path(), &["--out", "again.json", &name]);
    assert_eq!(status, Some(125), "{text}");
    assert!(text.contains(said), "{text}");
    for arguments in [vec![], vec![name.as_str()], vec!["--clean"]] {
        let (status, text) = recover_in(folder.path(), &arguments);
        assert_eq!(status, Some(0), "{text}");
        assert_eq!(
            (text.lines().count(), text.contains(said)),
            (1, true),
            "{text}"
        );
    }
    assert_eq!(report_files(folder.path()).len(), before);
    assert!(region_files(folder.path()).is_empty(), "removed");
}
