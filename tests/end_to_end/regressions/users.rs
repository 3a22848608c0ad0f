//! Other users of the machine: what they put in our way is neither followed nor trusted.
//!
//! Root acts as two users here. The second one is a number without an account.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::recover::{recover, region_files};
use crate::support::{
    Account, Mode, Program, copy_program, finish, scratch, succeed, victim, weir,
};

const OTHER: u32 = 65_001;

/// A folder in which all users may make files, as in /tmp.
fn shared() -> TempDir {
    // SAFETY: the call takes no arguments and only returns a number.
    let user = unsafe { libc::geteuid() };
    assert_eq!(user, 0, "only root can act as two users");
    let folder = scratch();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).expect("ours");
    folder
}

fn others(path: &Path) {
    lchown(path, Some(OTHER), Some(OTHER)).expect("root may");
}

/// Writes a report to a path, bare and by `weir run`.
fn report_to(path: &Path, mut between: impl FnMut(Mode)) {
    for mode in Mode::MEASURED {
        between(mode);
        let mut command = Program::new(victim("does_little")).command(mode, path);
        command.env("WEIR_OUT", path);
        let (status, _, stderr) = finish(&mut command, b"");
        assert_eq!(status.code(), Some(0), "{mode:?}");
        assert_eq!(String::from_utf8_lossy(&stderr), "", "{mode:?}");
        let report = weir_report::read::load(path).expect("a report");
        assert_eq!(report.functions["malloc"].calls, 100, "{mode:?}");
        assert!(
            fs::symlink_metadata(path).expect("there").is_file(),
            "{mode:?}"
        );
    }
}

#[test]
fn a_pipe_of_another_s_is_replaced_and_not_waited_for() {
    let folder = shared();
    let path = folder.path().join("report.json");
    report_to(&path, |_| {
        let _ = fs::remove_file(&path);
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        others(&path);
    });
}

/// If nobody would read the counts, nothing is started: no region, and no thread of ours.
#[test]
fn a_program_of_another_user_keeps_to_its_threads() {
    let count = "import os, threading; thread = threading.Thread(target=lambda: print(len(os.listdir('/proc/self/task')))); \
                 thread.start(); thread.join()";
    let user = format!("--reuid={OTHER}");
    let program = Program::new("/usr/bin/setpriv")
        .args([&user, "--clear-groups", "/usr/bin/python3", "-c", count])
        .without_reports();
    let plain = program.plain().expect_status(0);
    assert_eq!(plain.text(), "2\n");
    program.run(Mode::Run).expect_same(&plain);
}

#[test]
fn a_link_of_another_s_is_replaced_and_not_followed() {
    let folder = shared();
    let private = scratch();
    let precious = private.path().join("file");
    fs::write(&precious, "precious").expect("written");
    let path = folder.path().join("report.json");
    report_to(&path, |_| {
        let _ = fs::remove_file(&path);
        symlink(&precious, &path).expect("made");
        others(&path);
    });
    assert_eq!(fs::read_to_string(&precious).expect("there"), "precious");
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
}

#[test]
fn a_link_of_another_s_on_the_way_is_not_followed() {
    let folder = shared();
    let private = scratch();
    let link = folder.path().join("link");
    symlink(private.path(), &link).expect("made");
    others(&link);
    for mode in Mode::MEASURED {
        let out = link.join("report.json");
        let regions = scratch();
        let mut command = Program::new(victim("does_little")).command(mode, &out);
        command
            .env("WEIR_OUT", &out)
            .env("WEIR_REGION_DIR", regions.path());
        finish(&mut command, b"");
        assert_eq!(
            fs::read_dir(private.path()).expect("there").count(),
            0,
            "{mode:?}"
        );
    }
}

#[test]
fn a_report_keeps_its_mode() {
    let folder = scratch();
    let path = folder.path().join("report.json");
    report_to(&path, |_| {
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
    });
    assert_eq!(path.metadata().expect("there").mode() & 0o7777, 0o600);
}

/// As with /etc/ld.so.preload: the library is in a program that has more rights than its caller.
#[test]
fn a_set_user_id_program_obeys_no_setting() {
    let folder = shared();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("ours");
    let library = folder.path().join("libweir.so");
    fs::copy(weir::library(), &library).expect("copied");
    fs::set_permissions(&library, Permissions::from_mode(0o755)).expect("ours");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/does_little.c");
    let program = folder.path().join("program");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O0", "-fno-builtin", "-o"])
        .arg(&program)
        .arg(source);
    succeed(gcc.arg("-Wl,--no-as-needed").arg(&library), b"");
    let precious = folder.path().join("file");
    fs::write(&precious, "precious").expect("written");
    let regions = folder.path().join("regions");
    fs::create_dir(&regions).expect("made");
    let run = || {
        let mut command = Command::new(&program);
        for (name, path) in [("WEIR_OUT", &precious), ("WEIR_REGION_DIR", &regions)] {
            command.env(name, path);
        }
        command
            .env("WEIR_TIME", "nonsense")
            .current_dir("/")
            .uid(OTHER)
            .gid(OTHER);
        finish(&mut command, b"")
    };
    fs::set_permissions(&program, Permissions::from_mode(0o4755)).expect("ours");
    let (status, _, stderr) = run();
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    assert_eq!(fs::read_to_string(&precious).expect("there"), "precious");
    assert_eq!(fs::read_dir(&regions).expect("there").count(), 0);
    // Without those rights, it obeys the settings.
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("ours");
    let (_, _, stderr) = run();
    assert!(String::from_utf8_lossy(&stderr).contains("WEIR_TIME"));
}

#[test]
fn a_process_that_becomes_another_user_leaves_no_region() {
    for how in ["setuid", "setreuid", "setresuid"] {
        let (regions, reports) = (shared(), shared());
        let mut command =
            Program::new(victim("becomes_another")).command(Mode::Bare, Path::new(""));
        command
            .args([how, &OTHER.to_string()])
            .env("WEIR_REGION_DIR", regions.path())
            .env("WEIR_OUT", reports.path().join("%p.json"));
        let (status, _, stderr) = finish(&mut command, b"");
        assert_eq!((status.code(), stderr), (Some(0), Vec::new()), "{how}");
        assert_eq!(
            fs::read_dir(reports.path()).expect("there").count(),
            2,
            "{how}"
        );
        assert_eq!(region_files(regions.path()), Vec::<PathBuf>::new(), "{how}");
    }
}

#[test]
fn equal_process_ids_in_two_namespaces_are_two_regions() {
    let regions = scratch();
    for count in 1..=2 {
        // A process cannot kill itself if it is the first of its namespace.
        let mut command = Command::new("unshare");
        command
            .args([
                "--pid",
                "--fork",
                "sh",
                "-c",
                "LD_PRELOAD=$LIBRARY \"$@\"; :",
                "sh",
            ])
            .arg(victim("ways_to_exit"))
            .arg("SIGKILL")
            .env("LIBRARY", weir::library())
            .env("WEIR_REGION_DIR", regions.path());
        finish(&mut command, b"");
        assert_eq!(region_files(regions.path()).len(), count);
    }
}

/// What a traced program may put into the session's folder.
#[test]
fn the_session_trusts_nothing_that_it_finds() {
    for script in [
        "mkfifo $WEIR_SESSION/1-1.json",
        "mkfifo $WEIR_SESSION/1-1.region",
        "ln -s /dev/zero $WEIR_SESSION/1-1.json",
        "ln -s /dev/zero $WEIR_SESSION/1-1.region",
        "mkdir -p $WEIR_SESSION/1-1.json/x",
        "truncate -s 200G $WEIR_SESSION/1-1.region",
        "rm -rf $WEIR_SESSION; ls > /dev/null",
        // The region files have no names, so these commands cannot reach them.
        "for file in $WEIR_SESSION/*; do truncate -s 0 $file 2> /dev/null; done; truncate -s 0 $WEIR_SESSION/*.region; ls > /dev/null",
        "rm -f $WEIR_SESSION/*; sh -c :",
    ] {
        let outcome = Program::new("/bin/sh")
            .args(["-c", &format!("{script}; sleep 0.1")])
            .run(Mode::Run);
        assert_eq!(outcome.status.code(), Some(0), "{script}");
        let report = &outcome.reports[0];
        assert!(
            report.processes.iter().any(|process| process
                .command
                .first()
                .is_some_and(|name| name == "/bin/sh")),
            "{script}"
        );
    }
}

/// If weir has few descriptors, regions have names in the session. A program that truncates them ends itself by that,
/// and nothing else.
#[test]
fn a_region_that_is_cut_off_does_not_end_weir() {
    let folder = scratch();
    let report = folder.path().join("report.json");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n 200; exec \"$@\"", "sh"])
        .arg(weir::command())
        .args(["run", "-q", "-o"])
        .arg(&report)
        .args(["--", "/bin/sh", "-c"])
        .arg("sleep 0.1; truncate -s 0 $WEIR_SESSION/*.region; sleep 0.1; kill -KILL $$");
    let (status, _, _) = finish(&mut command, b"");
    assert!(
        matches!(status.signal(), Some(libc::SIGBUS | libc::SIGKILL)),
        "{status}"
    );
    assert!(weir_report::read::load(&report).is_ok());
}

#[test]
fn in_another_s_home_nothing_is_made_or_believed() {
    let folder = shared();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("ours");
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("made");
    chown(&home, Some(OTHER), Some(OTHER)).expect("root may");
    let alone = folder.path().join("weir");
    copy_program(weir::command(), &alone);
    let report = folder.path().join("report.json");
    let run = || {
        let mut command = Command::new(&alone);
        command
            .args(["run", "-q", "-o"])
            .arg(&report)
            .arg("--")
            .arg(victim("does_little"));
        command
            .env("HOME", &home)
            .env_remove("XDG_CACHE_HOME")
            .env_remove("LD_PRELOAD");
        let (status, _, stderr) = finish(&mut command, b"");
        assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
        let report = weir_report::read::load(&report).expect("a report");
        assert_eq!(report.functions["malloc"].calls, 100);
    };
    run();
    assert_eq!(fs::read_dir(&home).expect("there").count(), 0);
    // The same if there is a cache, whatever it contains.
    fs::create_dir_all(home.join(".cache/weir")).expect("made");
    chown(home.join(".cache"), Some(OTHER), Some(OTHER)).expect("root may");
    run();
    assert_eq!(
        fs::read_dir(home.join(".cache/weir"))
            .expect("there")
            .count(),
        0
    );
}

#[test]
fn what_lies_there_is_listed_recovered_and_removed_once_it_is_dead() {
    let (regions, folder) = (scratch(), scratch());
    let killed = Program::new(victim("ways_to_exit"))
        .arg("SIGKILL")
        .env("WEIR_REGION_DIR", regions.path())
        .without_reports()
        .run(Mode::Bare);
    let pid = Account::of(&killed.text()).pid;
    let mut command = Program::new("/bin/cat").command(Mode::Bare, Path::new(""));
    command
        .env("WEIR_REGION_DIR", regions.path())
        .current_dir(folder.path());
    let mut running = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let input = running.stdin.as_mut().expect("piped");
    input.write_all(b"x").expect("written");
    let output = running.stdout.as_mut().expect("piped");
    output.read_exact(&mut [0]).expect("it has begun");
    let weir_recover = |arguments: &[&str]| {
        let mut command = Command::new(weir::command());
        command
            .arg("recover")
            .args(arguments)
            .current_dir(folder.path());
        let (status, stdout, stderr) = finish(command.env("WEIR_REGION_DIR", regions.path()), b"");
        assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
        String::from_utf8(stdout).expect("text")
    };
    let dead = format!("process {pid} (ways_to_exit), report in weir.{pid}.");
    let alive = format!("process {} (cat) still runs", running.id());
    let all = weir_recover(&[]);
    assert!(
        all.contains(&dead) && all.contains(&alive) && all.lines().count() == 2,
        "{all}"
    );
    assert_eq!(region_files(regions.path()).len(), 2);
    let all = weir_recover(&["--clean"]);
    assert!(all.contains(", removed\n") && all.contains(&alive), "{all}");
    let left = region_files(regions.path());
    assert_eq!(left.len(), 1);
    assert_eq!(recover(&left[0]).processes[0].pid, running.id());
    drop(running.stdin.take());
    running.wait().expect("ours");
    assert!(weir_recover(&[]).starts_with("no region in "));
}
