//! `weir recover`: what a program under the bare library leaves when it is killed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use weir_record::region::Room;
use weir_report::model::EndKind;
use weir_report::read;

use super::run::{Place, wait_until};
use super::{refusal, text, weir};

/// A shell under the bare library; what it leaves is in [`Place::regions`].
fn shell(place: &Place, script: &str) -> Command {
    let library = Path::new(env!("CARGO_BIN_EXE_weir")).with_file_name("deps/libweir.so");
    let mut command = place.settle(Command::new("sh"));
    command.args(["-c", script]).env("LD_PRELOAD", library);
    command
}

/// The region of a shell that wrote two lines and was killed.
fn left(place: &Place) -> PathBuf {
    let script = "echo one; echo two; kill -KILL $$";
    let output = shell(place, script).output().expect("started");
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    assert_eq!(text(&output.stdout), "one\ntwo\n");
    let regions = place.regions();
    assert_eq!(regions.len(), 1, "{regions:?}");
    regions[0].clone()
}

#[test]
fn a_killed_program_s_counters_are_whole() {
    let place = Place::new();
    let region = left(&place);
    let mut command = place.settle(weir(["recover", "--out", "report.json"]));
    let output = command.arg(&region).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "");
    let summary = text(&output.stderr);
    assert!(
        summary.lines().all(|line| line.starts_with("weir: ")),
        "{summary}"
    );
    assert!(
        summary.contains("weir: more: weir report report.json\n"),
        "{summary}"
    );

    let report = place.report();
    assert_eq!(report.end.how, EndKind::Unknown);
    assert_eq!(report.command[0], "sh");
    let write = &report.functions["write"];
    assert_eq!((write.calls, write.moved_bytes, write.errors), (2, 8, 0));
    let latency = write.latency.as_ref().expect("every write is timed");
    assert_eq!(latency.timed, 2);
    assert!(latency.max_ns > 0 && latency.max_ns < report.duration_ns);
    assert!(region.exists(), "it is kept");
}

#[test]
fn without_a_name_the_report_is_named_after_the_region_and_replaces_nothing() {
    let place = Place::new();
    let region = left(&place);
    let name = region.file_stem().expect("a name").to_str().expect("UTF-8");
    fs::write(place.file(&format!("{name}.json")), "older").expect("written");
    let mut command = place.settle(weir(["recover"]));
    assert!(command.arg(&region).status().expect("ended").success());
    let older = fs::read_to_string(place.file(&format!("{name}.json"))).expect("read");
    assert_eq!(older, "older");
    let report = read::load(&place.file(&format!("{name}.1.json"))).expect("a report");
    assert_eq!(report.functions["write"].calls, 2);
}

#[test]
fn a_program_that_still_runs_is_said_to_and_is_not_disturbed() {
    let place = Place::new();
    let mut shell = shell(
        &place,
        // That there is a file, is so before anything is written to it: so it is another.
        "echo one; echo > begun; : > ready; read line; echo two; exit 3",
    )
    .stdin(Stdio::piped())
    .spawn()
    .expect("started");
    wait_until("the program is ready", || place.file("ready").exists());
    let region = place.regions()[0].clone();
    let mut command = place.settle(weir(["recover", "--out", "report.json"]));
    let output = command.arg(&region).output().expect("ended");
    let summary = text(&output.stderr);
    let first = format!("weir: process {} still runs", shell.id());
    assert!(summary.starts_with(&first), "{summary}");
    let report = place.report();
    assert_eq!(report.end.how, EndKind::Running);
    assert_eq!(report.functions["write"].moved_bytes, 5);

    drop(shell.stdin.take());
    assert_eq!(shell.wait().expect("ended").code(), Some(3));
    assert!(place.regions().is_empty(), "it wrote its own report");
}

#[test]
fn what_is_no_region_is_refused_in_one_line() {
    let place = Place::new();
    let region = left(&place);
    let whole = fs::read(&region).expect("read");
    let mut other_version = whole.clone();
    other_version[8] ^= 1;
    let noise: Vec<u8> = (0..whole.len() as u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let cases: [(&str, &[u8], &str); 7] = [
        ("empty", b"", "it is empty"),
        ("short", b"weir", "it is not a region: it is shorter than"),
        (
            "text",
            b"what else one might give it",
            "it is not a region: it does not begin as one does",
        ),
        (
            "noise",
            &noise,
            "it is not a region: it does not begin as one does; a program that",
        ),
        (
            "zeroes",
            &vec![0; whole.len()],
            "it is not a region: it does not begin as one does",
        ),
        (
            "head",
            &whole[..5000],
            "it is cut off: the region is not complete after 5000 bytes",
        ),
        (
            "other",
            &other_version,
            "it is a region of another version of Weir; use the weir that came with the library",
        ),
    ];
    for (name, content, reason) in cases {
        fs::write(place.file(name), content).expect("written");
        let output = place.settle(weir(["recover", name])).output();
        let (code, line) = refusal(&output.expect("ended"));
        assert_eq!(code, 125);
        assert!(
            line.starts_with(&format!("cannot recover {name}: {reason}")),
            "{line}"
        );
        assert!(!place.file(&format!("{name}.json")).exists());
    }
    for (path, line) in [
        ("missing", "cannot read missing: No such file or directory"),
        ("/", "cannot recover /: it is a directory, not a region"),
        (
            "/dev/null",
            "cannot recover /dev/null: it is not a regular file",
        ),
    ] {
        let output = place.settle(weir(["recover", path])).output();
        assert_eq!(refusal(&output.expect("ended")), (125, line.to_owned()));
    }
}

/// What a process leaves that is killed while it makes its region.
#[test]
fn what_a_process_only_began_to_make_is_removed() {
    let place = Place::new();
    let directory = left(&place).parent().expect("a directory").to_owned();
    fs::remove_file(&place.regions()[0]).expect("removed");
    let ended = {
        let mut child = Command::new("true").spawn().expect("started");
        child.wait().expect("ended");
        child.id()
    };
    let file = |name: String, content: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let unbegun = [
        file(format!("weir.{ended}.1.region"), b""),
        file(format!("weir.{ended}.2.region"), &[0; 70_000]),
    ];
    let kept = [
        file(format!("weir.{}.3.region", std::process::id()), b""),
        file("weir.mine.region".to_owned(), b""),
    ];
    let used = file(format!("weir.{ended}.4.region"), &[0; 70_000]);
    let open = fs::File::options().write(true).open(&used).expect("opened");
    let recover = |options: &[&str]| {
        let line = [&["recover"], options].concat();
        let output = place.settle(weir(line)).output().expect("ended");
        text(&output.stdout)
    };

    let listed = recover(&[]);
    let says = |listed: &str, line: &str| listed.lines().any(|one| one == line);
    assert!(
        says(
            &listed,
            "2 regions of processes that ended before anything was counted; --clean removes such files"
        ),
        "{listed}"
    );
    assert!(listed.contains("a program has just started to use it"));
    let cleaned = recover(&["--clean"]);
    assert!(
        says(
            &cleaned,
            "2 regions of processes that ended before anything was counted, removed"
        ),
        "{cleaned}"
    );
    assert!(unbegun.iter().all(|path| !path.exists()));
    assert!(kept.iter().chain([&used]).all(|path| path.exists()));
    drop(open);
    // A child that another test is about to start may have the descriptor for a moment.
    let mut cleaned = recover(&["--clean"]);
    for _ in 0..100 {
        if !used.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        cleaned = recover(&["--clean"]);
    }
    assert!(
        cleaned.contains("1 region of a process that ended"),
        "{cleaned}"
    );
    assert!(!used.exists());
}

/// What a process leaves that is killed when its report is about to get its name.
#[test]
fn what_was_about_to_become_a_report_is_removed() {
    let place = Place::new();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let file = |name: &str, time: SystemTime| {
        let file = fs::File::create(place.file(name)).expect("made");
        file.set_modified(time).expect("set");
        place.file(name)
    };
    let left = file(".weir.0123456789abcdef.tmp", old);
    let kept = [
        file(".weir.fedcba9876543210.tmp", SystemTime::now()),
        file(".weir.0123456789abcdef0.tmp", old),
        file("weir.0123456789abcdef.tmp", old),
    ];
    let output = place.settle(weir(["recover", "--clean"])).output();
    let output = output.expect("ended");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 report that has no name in this directory, removed"));
    assert!(!left.exists());
    assert!(kept.iter().all(|path| path.exists()));
}

/// If a used slot is missing, the file is cut off; unused slots may be missing.
#[test]
fn a_region_is_needed_as_far_as_it_was_used() {
    let place = Place::new();
    let region = left(&place);
    let (bytes, memory) = {
        let metadata = region.metadata().expect("there");
        (metadata.len(), metadata.blocks() * 512)
    };
    let used = Room::MOST.slot_at(1) as u64;
    assert!(memory < used, "entries that nobody used have no memory");
    for (length, is_enough) in [(bytes, true), (used, true), (used - 4096, false)] {
        let file = fs::File::options()
            .write(true)
            .open(&region)
            .expect("opened");
        file.set_len(length).expect("cut");
        let mut command = place.settle(weir(["recover", "--out", "report.json"]));
        let output = command.arg(&region).output().expect("ended");
        if is_enough {
            assert!(output.status.success(), "{length}");
            assert_eq!(place.report().functions["write"].calls, 2);
        } else {
            let (code, line) = refusal(&output);
            assert_eq!(code, 125);
            assert!(line.contains(" it is cut off: "), "{line}");
        }
    }
}
