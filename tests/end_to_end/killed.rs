//! What is left after SIGKILL is true, whenever the signal comes.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use weir_report::model::{EndKind, Process};

use crate::support::recover::{recover, region_files};
use crate::support::{Mode, Program, scratch, victim, weir};

/// The kinds of calls of `counts_aloud`, in the order of its shared memory.
const KINDS: [&str; 4] = ["malloc", "free", "write", "read"];
const THREADS: usize = 4;

/// Random numbers of no special quality. The seed is printed, so that a failed test shows it.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = RandomState::new().hash_one(0);
        eprintln!("seed {seed}");
        Random(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// The victim, and the memory in which it counts.
struct Counting {
    folder: tempfile::TempDir,
    counts: File,
}

impl Counting {
    fn new() -> Counting {
        let folder = scratch();
        let path = folder.path().join("counts");
        let counts = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .expect("a file of counts");
        counts.set_len(4096).expect("room for counts");
        Counting { folder, counts }
    }

    fn command(&self, mode: Mode) -> Command {
        let program = Program::new(victim("counts_aloud"))
            .arg(self.folder.path().join("counts"))
            .env("WEIR_REGION_DIR", self.folder.path());
        let mut command = program.command(mode, &self.folder.path().join("report.json"));
        command
            .current_dir(self.folder.path())
            .stdout(Stdio::piped());
        command
    }

    /// Starts the victim, and waits until it runs.
    fn start(&self, mode: Mode) -> Child {
        let mut child = self.command(mode).spawn().expect("the victim starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("a pipe can be read");
        assert_eq!(line, "running\n");
        child
    }

    /// For each kind of call, over all threads: how many began, and how many completed.
    fn counts(&self) -> [[u64; 2]; KINDS.len()] {
        let mut bytes = [0; THREADS * KINDS.len() * 2 * 8];
        self.counts
            .read_exact_at(&mut bytes, 0)
            .expect("the counts");
        let mut sums = [[0; 2]; KINDS.len()];
        for (place, count) in bytes.as_chunks::<8>().0.iter().enumerate() {
            sums[place / 2 % KINDS.len()][place % 2] += u64::from_ne_bytes(*count);
        }
        sums
    }

    /// Checks that every counter lies between the completed and the begun calls.
    #[track_caller]
    fn expect_in(&self, process: &Process) {
        for (name, [begun, completed]) in KINDS.into_iter().zip(self.counts()) {
            assert!(begun - completed <= THREADS as u64, "{name}: {begun} begun");
            let calls = process
                .functions
                .get(name)
                .map_or(0, |function| function.calls);
            assert!(
                (completed..=begun).contains(&calls),
                "{name}: {begun} begun, {completed} completed, {calls} in the report"
            );
        }
        let of = |name: &str| process.functions.get(name).cloned().unwrap_or_default();
        assert!(
            of("malloc")
                .requested_bytes
                .abs_diff(of("malloc").calls * 48)
                <= 48 * 4
        );
        assert!(of("write").moved_bytes.abs_diff(of("write").calls * 64) <= 64 * 4);
        assert_eq!(of("read").errors, 0);
        assert!(process.heap.live_blocks.abs_diff(0) <= 2 * THREADS as u64 + 4);
    }

    fn region(&self) -> Option<std::path::PathBuf> {
        let mut files = region_files(self.folder.path());
        assert!(files.len() <= 1, "{files:?}");
        files.pop()
    }
}

/// 200 times, at random moments of a program with four threads.
#[test]
fn every_region_is_recovered_and_right() {
    let mut random = Random::new();
    for _ in 0..200 {
        let counting = Counting::new();
        let mut child = counting.start(Mode::Bare);
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
        let region = counting
            .region()
            .expect("a killed program leaves its region");
        let report = recover(&region);
        assert_eq!(report.processes.len(), 1);
        assert_eq!(report.processes[0].end.how, EndKind::Unknown);
        counting.expect_in(&report.processes[0]);
    }
}

/// If a program is killed while it starts, there may be no region yet, or an incomplete one. Weir says so.
#[test]
fn a_program_killed_while_it_starts() {
    let mut random = Random::new();
    for _ in 0..100 {
        let counting = Counting::new();
        let mut child = counting
            .command(Mode::Bare)
            .spawn()
            .expect("the victim starts");
        std::thread::sleep(Duration::from_micros(random.below(3000)));
        child.kill().expect("the child is ours");
        child.wait().expect("the child is ours");
        let Some(region) = counting.region() else {
            continue;
        };
        let recovered = counting.folder.path().join("recovered.json");
        let output = recover_command(&region, &recovered)
            .output()
            .expect("weir runs");
        if output.status.success() {
            let report = weir_report::read::load(&recovered).expect("a report");
            counting.expect_in(&report.processes[0]);
        } else {
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(125), "{complaint}");
            assert!(complaint.starts_with("weir: ") && complaint.lines().count() == 1);
        }
    }
}

fn recover_command(region: &Path, out: &Path) -> Command {
    let mut command = Command::new(weir::command());
    command.args(["recover", "--out"]).args([out, region]);
    command
}

/// `weir run` needs no recovery, because it was not killed itself.
#[test]
fn weir_run_reports_a_killed_program() {
    let mut random = Random::new();
    for _ in 0..20 {
        let counting = Counting::new();
        let mut weir_run = counting.start(Mode::Run);
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        let victim = child_of(weir_run.id());
        // SAFETY: sends a signal to a grandchild that its parent has not waited for.
        assert_eq!(unsafe { libc::kill(victim, libc::SIGKILL) }, 0);
        let status = weir_run.wait().expect("the child is ours");
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        let report =
            weir_report::read::load(&counting.folder.path().join("report.json")).expect("a report");
        let end = &report.processes[0].end;
        assert_eq!(
            (end.how, end.signal),
            (EndKind::Signaled, Some(libc::SIGKILL))
        );
        counting.expect_in(&report.processes[0]);
    }
}

/// If `weir` itself is killed, the program continues.
#[test]
fn the_program_outlives_weir() {
    let counting = Counting::new();
    let mut weir_run = counting.start(Mode::Run);
    let victim = child_of(weir_run.id());
    weir_run.kill().expect("the child is ours");
    weir_run.wait().expect("the child is ours");
    let before = counting.counts()[0][1];
    // A minute: an emulator on a busy machine is slow.
    let goes_on = (0..12_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        counting.counts()[0][1] > before + 100_000
    });
    // SAFETY: sends a signal to a process that runs until it is killed here.
    unsafe { libc::kill(victim, libc::SIGKILL) };
    assert!(goes_on, "the program did not go on");
}

/// What starts after `weir` was killed leaves nothing: nobody would remove it.
#[test]
fn what_starts_after_weir_leaves_nothing() {
    const PROGRAMS: usize = 20;
    let folder = scratch();
    let sessions = folder.path().join("sessions");
    std::fs::create_dir(&sessions).expect("made");
    let script = format!(
        "kill -KILL $PPID
         until [ \"$(cut -d ' ' -f 3 /proc/$PPID/stat)\" = Z ]; do sleep 0.01; done
         for i in $(seq {PROGRAMS}); do cat /dev/null; done; echo all"
    );
    let mut weir_run = Command::new(weir::command());
    weir_run
        .args(["run", "--quiet", "--", "bash", "-c", &script])
        .env("WEIR_REGION_DIR", &sessions)
        .current_dir(folder.path())
        .stdout(Stdio::piped());
    let output = weir_run.output().expect("weir runs");
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    // The pipe is closed when the shell has ended.
    assert_eq!(output.stdout, b"all\n");
    let session = std::fs::read_dir(&sessions).expect("there").next();
    let session = session.expect("a session").expect("there").path();
    let left = std::fs::read_dir(session).expect("there").count();
    // The inbox.
    assert_eq!(left, 1);
}

/// The pid of the only child of a process.
fn child_of(pid: u32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .expect("the children of a process");
    let mut pids = children.split_whitespace();
    let child = pids.next().expect("a child").parse().expect("a pid");
    assert_eq!(pids.next(), None, "one child");
    child
}
