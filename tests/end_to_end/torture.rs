//! The torture program, with many seeds, with the writer in `weir` and in the program: no hang, no crash, no wrong
//! total.
//!
//! `WEIR_TORTURE_SEEDS=10000` runs that many seeds, `WEIR_TORTURE_SEEDS=77..78` those from 77 to before 78, and
//! `WEIR_TORTURE_SEEDS=77*100` that one a hundred times.
//! `WEIR_TORTURE_STEPS` and `WEIR_TORTURE_PROCESSES` make a run longer. By hand, with the compiled
//! `victim("torture")` and its plugin:
//!
//! ```text
//! weir run --out report.json -- ./torture account ./torture_plugin.so 77 16 50
//! ./torture tell account
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use weir_report::model::Report;

use crate::support::recover::recover_all;
use crate::support::{Mode, Program, patient, scratch, victim};

/// A program that has not ended after this time hangs. All others end within a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of so many seeds, one runs with call stacks, and one with those of samples.
const WITH_STACKS: u64 = 3;

/// The default number of seeds.
const SEEDS: u64 = 150;

/// Seeds that have found a fault: of many runs, a few went wrong.
const FAULTS_FOUND_BY: [u64; 3] = [11_687, 16_599, 17_564];
/// How often these run.
const AGAIN: usize = 30;

/// Functions that the C library also calls for itself, by the names that we interpose.
const ALSO_CALLED_BY_OTHERS: [&str; 4] = ["malloc", "calloc", "realloc", "free"];

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn seeds() -> Vec<u64> {
    let Some(text) = setting("WEIR_TORTURE_SEEDS") else {
        let again = FAULTS_FOUND_BY.repeat(AGAIN);
        return (1..=SEEDS).chain(again).collect();
    };
    let number = |text: &str| {
        text.parse()
            .expect("WEIR_TORTURE_SEEDS is N, A..B or SEED*TIMES")
    };
    if let Some((seed, times)) = text.split_once('*') {
        return (0..number(times)).map(|_| number(seed)).collect();
    }
    match text.split_once("..") {
        Some((from, to)) => (number(from)..number(to)).collect(),
        None => (1..=number(&text)).collect(),
    }
}

/// The least and the most: what Weir must have seen, and what it may have seen.
#[derive(Debug)]
struct Bounds {
    calls: (u64, u64),
    moved: (u64, u64),
}

/// The program's own account.
struct Account {
    functions: BTreeMap<String, Bounds>,
    end: u64,
    wrong: u64,
}

impl Account {
    fn of(file: &Path) -> Account {
        let output = Command::new(victim("torture"))
            .arg("tell")
            .arg(file)
            .output()
            .expect("the program tells");
        let mut account = Account {
            functions: BTreeMap::new(),
            end: u64::MAX,
            wrong: u64::MAX,
        };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
            match (name, &numbers[..]) {
                ("end", &[end]) => account.end = end,
                ("wrong", &[wrong]) => account.wrong = wrong,
                (name, &[least, most, moved_least, moved_most]) => {
                    let bounds = Bounds {
                        calls: (least, most),
                        moved: (moved_least, moved_most),
                    };
                    account.functions.insert(name.to_owned(), bounds);
                }
                _ => panic!("not an account: {line}"),
            }
        }
        account
    }

    /// How the reports of all its images differ from the program's account.
    fn differences(&self, reports: &[Report]) -> Vec<String> {
        let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        let images = reports.iter().flat_map(|report| &report.processes);
        for image in images.filter(|image| image.executable.ends_with("/torture")) {
            for (name, function) in &image.functions {
                let sum = sums.entry(name).or_default();
                sum.0 += function.calls;
                sum.1 += function.moved_bytes;
            }
        }
        let mut differences = Vec::new();
        for (name, bounds) in &self.functions {
            let (calls, moved) = sums.get(name.as_str()).copied().unwrap_or_default();
            let most = if ALSO_CALLED_BY_OTHERS.contains(&name.as_str()) {
                u64::MAX
            } else {
                bounds.calls.1
            };
            if !(bounds.calls.0..=most).contains(&calls) {
                differences.push(format!(
                    "{name}: {:?} calls, reported {calls}",
                    bounds.calls
                ));
            }
            // Streams and functions that move nothing have no bytes in the account.
            let tells_bytes = bounds.moved.1 > 0;
            if tells_bytes && !(bounds.moved.0..=bounds.moved.1).contains(&moved) {
                differences.push(format!(
                    "{name}: {:?} bytes, reported {moved}",
                    bounds.moved
                ));
            }
        }
        differences
    }
}

/// Starts the command in a process group of its own. If it hangs, kills the group and returns `None`.
fn end_of(command: &mut Command) -> (Option<ExitStatus>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let mut stderr = child.stderr.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // An error does not matter: the text that was read until then is enough.
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("the child is ours") {
            Some(status) => break Some(status),
            None if start.elapsed() > patient(PATIENCE) => break None,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // Processes that are left in the group must not outlive the test, nor keep the pipe open.
    // SAFETY: sends a signal to the group of a child of ours.
    unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
    if status.is_none() {
        child.wait().expect("the child is ours");
    }
    (status, reader.join().expect("the reader does not panic"))
}

/// One run. The error says what went wrong.
fn run(seed: u64, mode: Mode) -> Result<(), String> {
    let folder = scratch();
    let regions = TempDir::with_prefix_in("weir-test-", "/dev/shm").expect("a folder");
    let (account_file, reports) = (folder.path().join("account"), folder.path().join("reports"));
    std::fs::create_dir(&reports).expect("a folder");
    let size = |name, default: &str| setting(name).unwrap_or_else(|| default.to_owned());
    let mut program = Program::new(victim("torture"))
        .arg(&account_file)
        .arg(victim("torture_plugin"))
        .arg(seed.to_string())
        .arg(size("WEIR_TORTURE_STEPS", "16"))
        .arg(size("WEIR_TORTURE_PROCESSES", "50"));
    if mode == Mode::Bare {
        program = program
            .env("WEIR_OUT", reports.join("report-%p.json"))
            .env("WEIR_REGION_DIR", regions.path());
    }
    match seed % WITH_STACKS {
        0 => program = program.env("WEIR_STACKS", "all"),
        // Samples are close to each other, so that there are many.
        1 => program = program.env("WEIR_STACKS", "sampled:256"),
        _ => {}
    }
    let mut command = program.command(mode, &reports.join("report.json"));
    command.current_dir(folder.path());
    let (status, stderr) = end_of(&mut command);
    let Some(status) = status else {
        return Err(format!("hangs; stderr: {stderr}"));
    };
    let account = Account::of(&account_file);
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => u64::from(code.cast_unsigned()),
        (None, signal) => 256 + u64::from(signal.unwrap_or_default().cast_unsigned()),
    };
    if (ended, account.wrong, stderr.as_str()) != (account.end, 0, "") {
        return Err(format!(
            "ended with {ended}, meant to with {}; {} wrong; stderr: {stderr}",
            account.end, account.wrong
        ));
    }
    if mode == Mode::Plain {
        return Ok(());
    }
    let files: Vec<PathBuf> = std::fs::read_dir(&reports)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        // A report that was incomplete when another thread of its image ended has another name.
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    let mut all = Vec::new();
    for file in files {
        let report = weir_report::read::load(&file);
        all.push(report.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    all.extend(recover_all(regions.path())?);
    // Some images leave a report and a region: those that failed to execute another program, or that were killed just
    // as they were replaced. The region has more.
    let mut seen = BTreeSet::new();
    for report in all.iter_mut().rev() {
        report
            .processes
            .retain(|image| seen.insert((image.pid, image.started_unix_ns)));
    }
    let differences = account.differences(&all);
    if differences.is_empty() {
        Ok(())
    } else {
        Err(differences.join("\n        "))
    }
}

/// Runs all seeds, with as many threads as there are processors.
fn expect_unharmed(mode: Mode) {
    let (seeds, failures) = (seeds(), Mutex::new(BTreeMap::new()));
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = run(seed, mode) {
                        eprintln!("{mode:?}, seed {seed}: {what}");
                        failures.lock().expect("nobody panics").insert(seed, what);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panics");
    assert!(
        failures.is_empty(),
        "{mode:?}: {} of {} seeds: {:?}",
        failures.len(),
        seeds.len(),
        failures.keys().take(100).collect::<Vec<_>>()
    );
}

/// The program is right by itself. Otherwise the other tests here mean nothing.
#[test]
fn without_weir() {
    expect_unharmed(Mode::Plain);
}

#[test]
fn under_the_bare_library() {
    expect_unharmed(Mode::Bare);
}

#[test]
fn under_weir_run() {
    expect_unharmed(Mode::Run);
}
