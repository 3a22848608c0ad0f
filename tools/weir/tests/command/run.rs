//! `weir run`: the program behaves as it does without weir, and the report says what it did.

mod cost;
mod files;
mod folder;
mod follow;
mod inheritance;
mod many;
mod memory;
mod signals;
mod tree;

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir_report::model::{EndKind, Report};
use weir_report::read;

use super::{copy_program, fed, refusal, text, weir};

/// A directory to run in, and one for the regions, which must be empty again at the end.
pub struct Place {
    directory: TempDir,
    regions: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let directory = tempfile::tempdir().expect("a directory");
        let regions = tempfile::tempdir().expect("a directory");
        Place { directory, regions }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A command that runs here.
    pub fn settle(&self, mut command: Command) -> Command {
        command
            .current_dir(self.path())
            .env("WEIR_REGION_DIR", self.regions.path())
            .env("XDG_CACHE_HOME", self.path().join("cache"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `weir run` with the report in `report.json`.
    pub fn run(&self, options: &[&str], program: &[&str]) -> Command {
        let head = ["run", "--quiet", "--out", "report.json"];
        let line = head.iter().chain(options).chain(&["--"]).chain(program);
        self.settle(weir(line))
    }

    /// The same in a shell.
    pub fn run_shell(&self, script: &str) -> Command {
        self.run(&[], &["sh", "-c", script])
    }

    /// The report, once there is one.
    pub fn report(&self) -> Report {
        read::load(&self.file("report.json")).expect("a report")
    }

    pub fn regions(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.regions.path()).expect("the directory");
        entries.map(|entry| entry.expect("read").path()).collect()
    }
}

/// What a run that must have gone without a word says on standard output.
pub fn silent(output: &Output) -> String {
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout)
}

/// Waits until something is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn calls(report: &Report, function: &str) -> u64 {
    report.functions[function].calls
}

#[test]
fn weir_exits_with_the_program_s_status() {
    for status in [0, 1, 3, 125, 255] {
        let place = Place::new();
        let output = place.run_shell(&format!("exit {status}")).output();
        let output = output.expect("ended");
        assert_eq!(output.status.code(), Some(status));
        assert_eq!(silent(&output), "");
        let end = place.report().end;
        assert_eq!((end.how, end.status), (EndKind::Exited, Some(status)));
        assert!(place.regions().is_empty());
    }
}

#[test]
fn weir_ends_by_the_program_s_signal() {
    for signal in [
        libc::SIGTERM,
        libc::SIGKILL,
        libc::SIGSEGV,
        libc::SIGABRT,
        libc::SIGPIPE,
    ] {
        let place = Place::new();
        let script = format!("kill -{signal} $$; exit 9");
        let output = place.run_shell(&script).output().expect("ended");
        assert_eq!(output.status.signal(), Some(signal));
        assert!(!output.status.core_dumped());
        assert_eq!(silent(&output), "");
        let report = place.report();
        assert_eq!(report.end.how, EndKind::Signaled);
        assert_eq!(report.end.signal, Some(signal));
        assert_eq!(report.processes[0].end, report.end);
        assert!(place.regions().is_empty());
    }
}

#[test]
fn the_report_counts_what_strace_counts() {
    let place = Place::new();
    let content = vec![b'x'; 300_000];
    fs::write(place.file("data"), &content).expect("written");
    let output = place.run(&[], &["cat", "data"]).output().expect("ended");
    assert_eq!(silent(&output).as_bytes(), content);
    let report = place.report();

    let mut strace = place.settle(Command::new("strace"));
    strace.args([
        "-o",
        "trace",
        "-P",
        "data",
        "-e",
        "trace=read,close",
        "cat",
        "data",
    ]);
    assert!(strace.output().expect("strace is there").status.success());
    let trace = fs::read_to_string(place.file("trace")).expect("a trace");
    let traced = |name: &str| trace.lines().filter(|line| line.starts_with(name)).count() as u64;

    let read = &report.functions["read"];
    assert_eq!(read.calls, traced("read("));
    assert_eq!(read.moved_bytes, 300_000);
    assert_eq!(report.functions["write"].moved_bytes, 300_000);
    assert!(calls(&report, "close") >= traced("close("));
    assert!(calls(&report, "malloc") > 0);
    assert_eq!(report.missed.uncounted_calls, 0);
}

#[test]
fn standard_streams_are_the_program_s() {
    let place = Place::new();
    let script = "while read line; do echo \"out $line\"; echo \"err $line\" >&2; done";
    let output = fed(place.run_shell(script), b"one\ntwo\n");
    assert_eq!(text(&output.stdout), "out one\nout two\n");
    assert_eq!(text(&output.stderr), "err one\nerr two\n");
}

#[test]
fn without_quiet_there_is_a_summary_on_standard_error_alone() {
    let place = Place::new();
    let command = place.settle(weir(["run", "--out", "report.json", "echo", "said"]));
    let output = { command }.output().expect("ended");
    assert_eq!(text(&output.stdout), "said\n");
    let summary = text(&output.stderr);
    assert!(
        summary.lines().all(|line| line.starts_with("weir: ")),
        "{summary}"
    );
    assert!(
        summary.starts_with("weir: echo said: exited with status 0 after "),
        "{summary}"
    );
    assert!(
        summary.ends_with("weir: more: weir report report.json\n"),
        "{summary}"
    );
    let page = place.settle(weir(["report", "report.json"])).output();
    assert_eq!(page.expect("ended").status.code(), Some(0));
}

#[test]
fn a_report_without_a_name_is_named_after_the_program_and_replaces_nothing() {
    let place = Place::new();
    for _ in 0..2 {
        let script = "echo old > weir.sh.$$.json; echo $$";
        let output = place
            .settle(weir(["run", "-q", "sh", "-c", script]))
            .output();
        let pid = silent(&output.expect("ended"));
        let pid = pid.trim();
        let old = fs::read_to_string(place.file(&format!("weir.sh.{pid}.json")));
        assert_eq!(old.expect("read"), "old\n");
        let report = read::load(&place.file(&format!("weir.sh.{pid}.1.json"))).expect("a report");
        assert_eq!(report.processes[0].pid.to_string(), pid);
    }
}

#[test]
fn a_report_with_a_name_replaces_what_is_there() {
    let place = Place::new();
    fs::write(place.file("report.json"), "old").expect("written");
    silent(&place.run_shell("exit 0").output().expect("ended"));
    assert_eq!(place.report().end.status, Some(0));
}

#[test]
fn the_program_is_not_started_where_the_report_could_not_be_written() {
    let place = Place::new();
    for (out, others, reason) in [
        ("missing/report.json", &[][..], "No such file or directory"),
        // Without the other option it is the directory for all reports.
        (".", &["--out-dir", "reports"], "Is a directory"),
    ] {
        let command = [&["run", "--out", out], others, &["touch", "started"]].concat();
        let output = place.settle(weir(command)).output().expect("ended");
        let (code, line) = refusal(&output);
        assert_eq!(code, 125);
        assert!(line.starts_with(&format!("cannot write {out}: ")), "{line}");
        assert!(line.ends_with(reason), "{line}");
        assert!(!place.file("started").exists());
    }
}

#[test]
fn a_report_that_cannot_be_written_here_is_written_elsewhere() {
    let place = Place::new();
    let mut command = place.settle(weir(["run", "-q", "sh", "-c", "exit 7"]));
    command.current_dir("/proc").env("TMPDIR", place.path());
    let output = command.output().expect("ended");
    assert_eq!(output.status.code(), Some(7), "the program's own");
    let line = text(&output.stderr);
    let (_, elsewhere) = line
        .trim_end()
        .split_once("; the report is in ")
        .expect("a line");
    assert!(line.starts_with("weir: cannot write weir.sh."), "{line}");
    assert!(
        elsewhere.starts_with(place.path().to_str().expect("UTF-8")),
        "{line}"
    );
    let report = read::load(Path::new(elsewhere)).expect("a report");
    assert_eq!(report.end.status, Some(7));
}

/// Neither a descriptor of weir's own nor a file that the kernel would have to make.
#[test]
fn a_report_to_what_is_not_there_is_refused_before_the_start() {
    let place = Place::new();
    let numbers = (3..24).map(|number| format!("/dev/fd/{number}"));
    for path in numbers.chain(["/proc/report.json".to_owned()]) {
        let script = r#"for n in $(seq 3 24); do eval "exec $n>&-"; done; exec "$@""#;
        let weir = weir(["run", "-q", "-o", &path, "echo", "ran"]);
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script, "bash"]);
        command.arg(weir.get_program()).args(weir.get_args());
        let output = place.settle(command).output().expect("ended");
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(125), ""),
            "{path}"
        );
        let expected = format!("weir: cannot write {path}: No such file or directory\n");
        assert_eq!(text(&output.stderr), expected);
    }
}

#[test]
fn a_limit_on_the_size_of_files_kills_nobody() {
    let limited = |place: &Place, bytes: libc::rlim_t| {
        let mut command = place.run(&[], &["cat", "/dev/null"]);
        // SAFETY: a limit of the child, between fork and exec.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit {
                    rlim_cur: bytes,
                    rlim_max: bytes,
                };
                libc::setrlimit(libc::RLIMIT_FSIZE, &limit);
                Ok(())
            });
        }
        command.output().expect("ended")
    };
    let place = Place::new();
    let output = limited(&place, 1 << 20);
    assert_eq!(
        (silent(&output).as_str(), output.status.code()),
        ("", Some(0))
    );
    assert_eq!(calls(&place.report(), "read"), 1);

    let place = Place::new();
    let (code, line) = refusal(&limited(&place, 0));
    assert_eq!(code, 125);
    assert!(line.starts_with("no room for regions in "), "{line}");
    assert!(
        line.ends_with("raise the limit on the size of files (ulimit -f)"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_run_is_refused_as_the_doctor_does() {
    let place = Place::new();
    for program in ["nosuchprogram", "/", "/etc/passwd"] {
        let run = place.run(&[], &[program]).output().expect("ended");
        let doctor = weir(["doctor", program]).output().expect("ended");
        assert_eq!(refusal(&run), refusal(&doctor));
        assert!(!place.file("report.json").exists());
    }
}

#[test]
fn the_choice_of_timing_reaches_every_process() {
    for (choice, one_in) in [("off", 0), ("all", 1), ("5", 5)] {
        let place = Place::new();
        let script = "cat /dev/null; cat /dev/null";
        let output = place
            .run(&["--time", choice], &["sh", "-c", script])
            .output();
        silent(&output.expect("ended"));
        let report = place.report();
        assert_eq!(report.timed_one_in, one_in);
        assert!(
            report
                .processes
                .iter()
                .all(|process| process.timed_one_in == one_in)
        );
        let malloc = &report.functions["malloc"];
        let timed = malloc.latency.as_ref().map_or(0, |latency| latency.timed);
        match choice {
            "off" => assert_eq!(timed, 0),
            "all" => assert_eq!(timed, malloc.calls),
            _ => assert!(timed > 0 && timed < malloc.calls, "{timed}"),
        }
    }
}

#[test]
fn with_an_interval_there_is_a_report_while_the_program_runs() {
    let place = Place::new();
    let mut command = place.run(&["--interval", "0.01"], &["sh", "-c", "read line; exit 4"]);
    let mut weir = command.stdin(Stdio::piped()).spawn().expect("started");
    wait_until("a report with a process", || {
        read::load(&place.file("report.json")).is_ok_and(|report| !report.processes.is_empty())
    });
    let report = place.report();
    assert_eq!(report.end.how, EndKind::Running);
    assert_eq!(report.processes[0].end.how, EndKind::Running);
    drop(weir.stdin.take());
    assert_eq!(weir.wait().expect("ended").code(), Some(4));
    assert_eq!(place.report().end.status, Some(4));
}

#[test]
fn a_library_in_a_place_that_ld_preload_cannot_name_is_loaded_all_the_same() {
    let place = Place::new();
    let directory = place.file("a b:c");
    fs::create_dir(&directory).expect("made");
    let weir = Path::new(env!("CARGO_BIN_EXE_weir"));
    let library = weir.with_file_name("deps/libweir.so");
    copy_program(env!("CARGO_BIN_EXE_weir"), &directory.join("weir"));
    fs::copy(library, directory.join("libweir.so")).expect("copied");
    let mut command = place.settle(Command::new(directory.join("weir")));
    command.args(["run", "-q", "-o", "report.json", "cat", "/dev/null"]);
    silent(&command.output().expect("ended"));
    assert_eq!(calls(&place.report(), "read"), 1);
}

#[test]
fn alone_the_command_brings_its_library_along() {
    let place = Place::new();
    let alone = place.file("weir");
    copy_program(env!("CARGO_BIN_EXE_weir"), &alone);
    for cache in [place.file("cache"), PathBuf::from("/dev/null")] {
        let mut command = place.settle(Command::new(&alone));
        command.env("XDG_CACHE_HOME", cache).args([
            "run",
            "-q",
            "-o",
            "report.json",
            "cat",
            "/dev/null",
        ]);
        silent(&command.output().expect("ended"));
        assert_eq!(calls(&place.report(), "read"), 1);
    }
    assert_eq!(
        fs::read_dir(place.file("cache/weir"))
            .expect("a cache")
            .count(),
        1
    );
}

#[test]
fn where_nothing_could_be_measured_a_line_says_so() {
    let place = Place::new();
    copy_program(env!("CARGO_BIN_EXE_weir"), &place.file("weir"));
    fs::write(place.file("libweir.so"), "no library").expect("written");
    let mut command = place.settle(Command::new(place.file("weir")));
    command.args(["run", "-q", "-o", "report.json", "sh", "-c", "exit 6"]);
    let output = command.output().expect("ended");
    assert_eq!(output.status.code(), Some(6));
    let stderr = text(&output.stderr);
    let ours: Vec<&str> = stderr
        .lines()
        .filter(|line| line.starts_with("weir: "))
        .collect();
    assert_eq!(ours.len(), 1, "{stderr}");
    assert!(ours[0].starts_with("weir: no process loaded "), "{stderr}");
    let report = place.report();
    assert_eq!(report.processes, []);
    assert_eq!(report.command, ["sh", "-c", "exit 6"]);
    assert_eq!(report.end.status, Some(6));
}
