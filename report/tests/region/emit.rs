//! Reports on disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};
use weir_record::functions::Function;
use weir_report::emit::{create_new, may_replace, replace, to_json};

use crate::memory::Memory;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_function_is_a_line() {
    let memory = Memory::new(1);
    memory.thread(0, "t").timed(Function::Read, 5, 3, 0, 100);
    memory.header().pid.store(31, crate::memory::RELAXED);
    let text = String::from_utf8(to_json(&memory.report(2_000_000))).unwrap();
    assert!(
        text.starts_with("{\n\"schema\":\"weir.report/1\",\n"),
        "{text}"
    );
    assert!(text.ends_with("}\n"));
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        lines("\"read\":{\"family\":\"file\",\"calls\":1,"),
        2,
        "in the report and in its process"
    );
    assert_eq!(lines("\"pid\":31,"), 1);
    assert_eq!(lines("{\"function\":\"read\",\"took_ns\":100,"), 2);
    assert_eq!(lines("\"points\":[{\"at_ns\":0,"), 1);
    assert_eq!(lines("\"provenance\":[],"), 1);
    assert_eq!(lines("{\"tid\":100,"), 1);
}

#[test]
fn a_reader_sees_the_old_report_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let content = |round: usize| vec![b'0' + (round % 10) as u8; 100_000 + round];
    replace(&path, &content(0)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Acquire) {
                let read = fs::read(&path).unwrap();
                assert_eq!(read, content(read.len() - 100_000));
                seen.insert(read.len());
            }
            seen.len()
        });
        for round in 1..300 {
            replace(&path, &content(round)).unwrap();
        }
        done.store(true, Ordering::Release);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(names(folder.path()), ["report.json"]);
    // The mode is that of any new file: 0666 without the bits of this process's umask.
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn what_a_link_leads_to_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    symlink("file", &link).unwrap();
    replace(&link, b"new").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn links_on_the_way_are_followed_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("real/inner")).unwrap();
    symlink(at("real"), at("absolute")).unwrap();
    symlink("absolute/inner/../inner", at("relative")).unwrap();
    symlink("../absolute/new.json", at("real/link")).unwrap();
    replace(&at("relative/a.json"), b"a").unwrap();
    assert_eq!(fs::read(at("real/inner/a.json")).unwrap(), b"a");
    replace(&at("absolute/link"), b"b").unwrap();
    assert_eq!(fs::read(at("real/new.json")).unwrap(), b"b");
    symlink("round", at("round")).unwrap();
    assert_eq!(replace(&at("round"), b"c"), Err(Errno::LOOP));
    assert_eq!(replace(&at("round/c"), b"c"), Err(Errno::LOOP));
}

#[test]
fn what_is_no_file_is_written_to() {
    replace(Path::new("/dev/null"), b"gone").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    // The path is a link of the kernel's to one of our own descriptors.
    let (reader, writer) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    replace(Path::new(&path), b"through").unwrap();
    drop(writer);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "through");
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    assert_eq!(replace(&pipe, b"nobody reads"), Err(Errno::NXIO));
    may_replace(&pipe).unwrap();
}

#[test]
fn a_reader_of_a_pipe_is_not_disturbed_by_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, 0o600.into(), 0).unwrap();
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    // Whether it waits already is not known: it is asked for long enough.
    for _ in 0..200 {
        may_replace(&pipe).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    while replace(&pipe, b"report") == Err(Errno::NXIO) && !reader.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(reader.join().unwrap(), "report");
}

#[test]
fn a_file_that_is_open_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "older\n").unwrap();
    let mut open = fs::File::options().append(true).open(&path).unwrap();
    let link = folder.path().join("link");
    let descriptor = format!("/proc/self/fd/{}", open.as_raw_fd());
    symlink(&descriptor, &link).unwrap();
    may_replace(&link).unwrap();
    replace(Path::new(&descriptor), b"one\n").unwrap();
    replace(&link, b"two\n").unwrap();
    let thread = format!("/proc/thread-self/fd/{}", open.as_raw_fd());
    replace(Path::new(&thread), b"three\n").unwrap();
    open.write_all(b"own\n").unwrap();
    let whole = "older\none\ntwo\nthree\nown\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    // The same if the file no longer has a name.
    fs::remove_file(&path).unwrap();
    replace(Path::new(&descriptor), b"four\n").unwrap();
    assert_eq!(names(folder.path()), ["link"]);
    assert_eq!(open.metadata().unwrap().len(), whole.len() as u64 + 5);
}

#[test]
fn the_mode_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    for mode in [0o600, 0o640, 0o666, 0o444] {
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        replace(&path, b"new").unwrap();
        let now = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(now & 0o7777, mode);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/report.json");
    assert_eq!(replace(&missing, b"x"), Err(Errno::NOENT));
    assert_eq!(create_new(&missing, b"x"), Err(Errno::NOENT));
    // No file can be renamed to a name this long.
    let long = folder.path().join("x".repeat(300));
    assert!(replace(&long, b"x").is_err());
    assert!(create_new(&long, b"x").is_err());
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_new_file_takes_the_first_free_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, taken) in [
        (
            "weir.x.123.json",
            ["weir.x.123.json", "weir.x.123.1.json", "weir.x.123.2.json"],
        ),
        ("report", ["report", "report.1", "report.2"]),
        (".hidden", [".hidden", ".hidden.1", ".hidden.2"]),
    ] {
        for (round, expected) in taken.into_iter().enumerate() {
            let content = format!("{round}");
            let path = create_new(&folder.path().join(name), content.as_bytes()).unwrap();
            assert_eq!(path, folder.path().join(expected));
            assert_eq!(fs::read_to_string(path).unwrap(), content);
        }
    }
    assert_eq!(names(folder.path()).len(), 9);
}

#[test]
fn two_at_once_never_take_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    std::thread::scope(|scope| {
        let makers: Vec<_> = (0..2)
            .map(|maker| {
                let path = &path;
                scope.spawn(move || {
                    let make = |round| {
                        let content = format!("{maker} {round}");
                        (create_new(path, content.as_bytes()).unwrap(), content)
                    };
                    (0..100).map(make).collect::<Vec<_>>()
                })
            })
            .collect();
        let made: Vec<_> = makers
            .into_iter()
            .flat_map(|maker| maker.join().unwrap())
            .collect();
        for (path, content) in &made {
            assert_eq!(fs::read_to_string(path).unwrap(), *content);
        }
        let distinct: BTreeSet<_> = made.iter().map(|(path, _)| path).collect();
        assert_eq!((distinct.len(), names(folder.path()).len()), (200, 200));
    });
}

/// Runs in a process of its own, which the kernel kills during the write: by SIGXFSZ, because the file would become
/// too large.
#[test]
fn a_process_that_is_killed_while_it_writes_leaves_nothing() {
    const VARIABLE: &str = "WEIR_TEST_KILLED_IN";
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let json = vec![b' '; 100_000];
        let path = Path::new(&folder).join("report.json");
        let _ = replace(&path, &json);
        unreachable!("the signal ends the process");
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "emit::a_process_that_is_killed_while_it_writes_leaves_nothing";
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact"]).env(VARIABLE, folder.path());
    let most = Rlimit {
        current: Some(5000),
        maximum: Some(5000),
    };
    // SAFETY: sets a limit of the child, between fork and exec, by one system call.
    unsafe { command.pre_exec(move || Ok(setrlimit(Resource::Fsize, most)?)) };
    let output = command.output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGXFSZ), "{output:?}");
    assert_eq!(names(folder.path()), [""; 0]);
}
