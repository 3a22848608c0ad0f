//! Limits on time, memory and stack, for a hostile or huge input, or a small stack.

use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_report::model::{EndKind, Process, Report};

use crate::support::{Mode, Program, copy_program, finish, scratch, victim, weir};

/// A report whose command is replaced by what `part` writes.
fn report_with_command(folder: &Path, part: impl FnOnce(&mut dyn Write)) -> std::path::PathBuf {
    let report = folder.join("small.json");
    finish(
        &mut Program::new(victim("does_little")).command(Mode::Run, &report),
        b"",
    );
    let text = fs::read_to_string(&report).expect("a report");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    value["command"] = "@@@".into();
    let text = value.to_string();
    let (before, after) = text.split_once("\"@@@\"").expect("the place");
    let large = folder.join("large.json");
    let mut file = std::io::BufWriter::new(fs::File::create(&large).expect("a file"));
    file.write_all(before.as_bytes()).expect("written");
    part(&mut file);
    file.write_all(after.as_bytes()).expect("written");
    file.flush().expect("written");
    large
}

/// The exit status of a child, and its peak memory in KiB.
fn wait(child: Child) -> (i32, i64) {
    let mut status = 0;
    // SAFETY: all zeroes are valid. The child is ours, and nothing else waits for it.
    let kib = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(child.id().cast_signed(), &mut status, 0, &mut usage);
        usage.ru_maxrss
    };
    (libc::WEXITSTATUS(status), kib)
}

#[test]
fn a_long_word_takes_no_more_than_its_length() {
    let folder = scratch();
    let report = report_with_command(folder.path(), |file| {
        let word = "N".repeat(3_000_000);
        write!(file, "[\"x\",\"{word}\"]").expect("written");
    });
    let began = Instant::now();
    let mut command = Command::new(weir::command());
    let (status, _, stderr) = finish(command.arg("report").arg(&report), b"");
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_report_of_many_small_values_is_refused_in_bounded_memory() {
    let folder = scratch();
    let report = report_with_command(folder.path(), |file| {
        let many = "\"\",".repeat(1_000_000);
        write!(file, "[").expect("written");
        for _ in 0..20 {
            write!(file, "{many}").expect("written");
        }
        write!(file, "\"\"]").expect("written");
    });
    let mut command = Command::new(weir::command());
    command
        .arg("report")
        .arg(&report)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let stderr = child.stderr.take().expect("piped");
    let (status, kib) = wait(child);
    assert_eq!(status, 125);
    let said = std::io::read_to_string(stderr).expect("text");
    assert!(
        said.contains("it says more than") && said.lines().count() == 1,
        "{said}"
    );
    assert!(kib < 512 << 10, "{kib} KiB");
}

/// Whether the text contains nothing that a terminal would interpret or hide.
fn is_plain(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        !text.chars().any(|character| {
            (character.is_control() && character != '\n')
                || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}')
        })
    })
}

#[test]
fn text_that_is_not_ours_is_escaped_everywhere() {
    let folder = scratch();
    let program = folder.path().join("x\u{61c}\u{9b}31m");
    copy_program(&victim("does_little"), &program);
    let report = folder.path().join("report\u{200f}.json");
    for arguments in [
        vec![
            "run".as_ref(),
            "-o".as_ref(),
            report.as_os_str(),
            "--".as_ref(),
            program.as_os_str(),
        ],
        vec!["report".as_ref(), report.as_os_str()],
        vec!["report".as_ref(), program.as_os_str()],
        vec!["recover".as_ref(), program.as_os_str()],
        vec!["doctor".as_ref(), program.as_os_str()],
        vec![
            "run".as_ref(),
            "--time".as_ref(),
            "\u{61c}".as_ref(),
            "x".as_ref(),
        ],
    ] {
        let (_, stdout, stderr) = finish(Command::new(weir::command()).args(&arguments), b"");
        assert!(is_plain(&stdout) && is_plain(&stderr), "{arguments:?}");
        assert!(!stdout.is_empty() || !stderr.is_empty(), "{arguments:?}");
    }
    for value in [&b"\xd8\x9c"[..], b"\xff\xfe", b"\xc2\x9b31m"] {
        let outcome = Program::new(victim("does_little"))
            .env("WEIR_TIME", std::ffi::OsStr::from_bytes(value))
            .run(Mode::Bare);
        assert!(
            is_plain(&outcome.stderr) && !outcome.stderr.is_empty(),
            "{value:?}"
        );
    }
}

#[test]
fn the_command_does_with_a_small_stack() {
    let program = victim("does_little");
    let folder = scratch();
    for _ in 0..10 {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -s 64; exec \"$@\"", "sh"])
            .arg(weir::command());
        command
            .args(["run", "-q", "-o", "report.json", "--"])
            .arg(&program);
        let (status, _, stderr) = finish(command.current_dir(folder.path()), b"");
        assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    }
}

/// The private memory of a process in KiB, without regions. The number of mapped regions depends on how far the
/// process is behind the program.
fn own_memory(pid: u32) -> Option<i64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Runs a shell that forks `forks` times; every hundredth child is killed. Returns the report, its size in bytes, and
/// the peak of weir's private memory in KiB.
fn storm(forks: u64) -> (Report, u64, i64) {
    let folder = scratch();
    let out = folder.path().join("report.json");
    let script = format!(
        "i=0; while [ $i -lt {forks} ]; do i=$((i+1)); \
         if [ $((i % 100)) = 0 ]; then ( kill -KILL $BASHPID ); else ( printf x ); fi; done 2>/dev/null; exit 7"
    );
    let mut command = Program::new("/bin/bash")
        .args(["-c", &script])
        .command(Mode::Run, &out);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            break status;
        }
        kib = own_memory(child.id()).unwrap_or(0).max(kib);
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(7));
    let bytes = out.metadata().expect("there").len();
    (weir_report::read::load(&out).expect("a report"), bytes, kib)
}

#[test]
fn a_storm_of_forks_takes_no_more_memory_the_longer_it_goes_on() {
    let measured = [3000, 6000].map(|forks| {
        let (report, bytes, kib) = storm(forks);
        let killed = forks / 100;
        assert_eq!(report.functions["fork"].calls, forks);
        let printed = forks - killed;
        assert_eq!(report.functions["putc"].calls, printed);
        assert_eq!(report.functions["putc"].moved_bytes, printed);
        let write = &report.functions["_IO_file_write"];
        let parts = report.processes.iter();
        let parts = parts.filter_map(|process| process.functions.get("_IO_file_write"));
        assert_eq!(parts.map(|write| write.calls).sum::<u64>(), write.calls);
        // The shell prints a message for each killed child.
        assert!(write.calls >= printed, "{}", write.calls);
        let latency = write.latency.as_ref().expect("timed");
        assert_eq!((latency.timed, latency.dropped), (write.calls, 0));
        assert_eq!(report.end.status, Some(7));

        let images: u64 = report.processes.iter().map(Process::stands_for).sum();
        assert_eq!(images, forks + 1);
        assert!(report.processes.len() < 1100, "{}", report.processes.len());
        assert_eq!(report.folded_processes, forks + 1 - 1000);
        let mut signaled = 0;
        for process in &report.processes {
            match &process.folded {
                Some(folded) => {
                    let of = |is: &dyn Fn(EndKind) -> bool| -> u64 {
                        let counts = folded.ends.iter().filter(|count| is(count.end.how));
                        counts.map(|count| count.processes).sum()
                    };
                    assert_eq!(of(&|_| true), folded.processes);
                    signaled += of(&|how| how == EndKind::Signaled);
                }
                None => signaled += u64::from(process.end.how == EndKind::Signaled),
            }
        }
        assert_eq!(signaled, killed);
        (bytes, kib)
    });
    let [(few_bytes, few_kib), (many_bytes, many_kib)] = measured;
    assert!(few_kib > 0, "it was looked at");
    assert!(
        many_kib - few_kib < 8 << 10,
        "{few_kib} KiB, then {many_kib} KiB"
    );
    assert!(
        many_bytes.abs_diff(few_bytes) < 1 << 20,
        "{few_bytes} bytes, then {many_bytes}"
    );
}

/// A process that does not outlive a test that fails.
struct Bounded(Child);

impl Drop for Bounded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many mappings a process has.
fn mappings(pid: u32) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"));
    maps.map_or(0, |maps| maps.lines().count())
}

/// While weir does not run, processes come and go, and each leaves a region. The kernel allows weir 65,530 mappings.
#[test]
fn what_ends_while_weir_does_not_run_is_not_mapped_all_at_once() {
    const FORKS: usize = 3000;
    let folder = scratch();
    let out = folder.path().join("report.json");
    let at = |name: &str| folder.path().join(name);
    let script = format!(
        "cd {}; : >began; until test -e stopped -o $SECONDS -gt 60; do :; done; for i in {{1..{FORKS}}}; do (:); done; : >made; \
         until test -e goes -o $SECONDS -gt 120; do :; done",
        folder.path().display()
    );
    let mut weir = Bounded(
        Program::new("/bin/bash")
            .args(["-c", &script])
            .command(Mode::Run, &out)
            .stdout(Stdio::null())
            .spawn()
            .expect("started"),
    );
    let wait = |name: &str| {
        let end = Instant::now() + Duration::from_secs(120);
        while !at(name).exists() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(at(name).exists(), "{name}");
    };
    let send = |signal| {
        // SAFETY: a child of ours that has not been waited for.
        assert_eq!(unsafe { libc::kill(weir.0.id() as i32, signal) }, 0);
    };
    wait("began");
    send(libc::SIGSTOP);
    std::fs::write(at("stopped"), "").expect("written");
    wait("made");
    send(libc::SIGCONT);
    let mut most = 0;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        most = most.max(mappings(weir.0.id()));
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::write(at("goes"), "").expect("written");
    assert!(weir.0.wait().expect("a child of ours").success());
    let report = weir_report::read::load(&out).expect("a report");
    let images: u64 = report.processes.iter().map(Process::stands_for).sum();
    assert_eq!(images, FORKS as u64 + 1);
    assert_eq!(report.missed.notes, [""; 0]);
    assert!((50..1500).contains(&most), "{most} mappings");
}

/// On a busy machine a process may wait for a processor at any place: also after it has handed its region over, and before that is
/// made. A tracer has it wait there.
#[test]
fn a_region_may_take_longer_to_be_made_than_a_second() {
    let folder = scratch();
    let out = folder.path().join("report.json");
    let mut traced = Program::new("/usr/bin/strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=sendmsg"])
        .args(["-e", "inject=sendmsg:delay_exit=1500000"])
        .arg(victim("does_little"))
        .command(Mode::Run, &out);
    let traced = traced.stdin(Stdio::null()).output().expect("started");
    assert!(traced.status.success(), "{traced:?}");
    let report = weir_report::read::load(&out).expect("a report");
    let mut processes = report.processes.iter();
    let process = processes.find(|process| process.executable.ends_with("/does_little"));
    let process = process.expect("an image");
    assert_eq!(process.functions["malloc"].calls, 100);
    assert_eq!(process.end.status, Some(0));
    let unread = |note: &String| note.contains("could not be read");
    assert!(!report.missed.notes.iter().any(unread));
}
