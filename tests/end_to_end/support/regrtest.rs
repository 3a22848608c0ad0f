//! CPython's own tests: runs modules with CPython's runner, and reads the result of each case.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::program::report_files;
use super::{Mode, Program, scratch};

/// A module that has not ended after this time, in seconds, is ended and prints the stacks of all threads.
const TIMEOUT: &str = "--timeout=300";
/// A runner that has not ended after this time is killed.
const PATIENCE: Duration = Duration::from_secs(400);

/// A module of tests.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// Additional options for its runner.
    pub options: &'static [&'static str],
}

/// The result of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was not run, with a reason.
    Skipped,
    /// It passed, or failed as expected.
    Passed,
    /// It failed.
    Failed,
}

/// The results of a module.
pub struct Results {
    /// The cases by name. `None` if the runner did not complete.
    pub cases: Option<BTreeMap<String, Verdict>>,
    /// What the runner and the cases printed.
    pub log: String,
    /// How many reports of Weir were left. All of them can be read.
    pub reports: usize,
}

impl Results {
    /// The result of one case.
    pub fn of(&self, case: &str) -> Option<Verdict> {
        self.cases.as_ref()?.get(case).copied()
    }

    /// How many cases were run.
    pub fn ran(&self) -> usize {
        let cases = self.cases.iter().flat_map(|cases| cases.values());
        cases
            .filter(|&&verdict| verdict != Verdict::Skipped)
            .count()
    }
}

impl Module {
    /// Runs the module's cases with these names; all cases if there are no names.
    pub fn run(&self, mode: Mode, names: &[String]) -> Results {
        let folder = scratch();
        let regions = TempDir::with_prefix_in("weir-test-", "/dev/shm").expect("a folder");
        let reports = scratch();
        let cases = folder.path().join("cases.xml");
        let mut program = Program::new("/usr/bin/python3")
            .args(["-m", "test", TIMEOUT])
            .arg("--junit-xml")
            .arg(&cases)
            .arg("--tempdir")
            .arg(folder.path())
            .args(self.options)
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env(weir_record::settings::REGION_DIR.name, regions.path());
        for name in names {
            program = program.args(["-m", name]);
        }
        if mode == Mode::Bare {
            let out = reports.path().join("weir.%p.json");
            program = program.env(weir_record::settings::OUT.name, out);
        }
        let report = reports.path().join("weir.json");
        let mut command = program.arg(self.name).command(mode, &report);
        // Cases that start an interpreter expect its default behaviour.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PYTHON") {
                command.env_remove(name);
            }
        }
        // The output goes to a file, because processes that a case leaves behind would keep a pipe open.
        let log = folder.path().join("log");
        let output = fs::File::create(&log).expect("a file");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a descriptor"))
            .stderr(output)
            .process_group(0);
        let pid = await_end(&mut command.spawn().expect("python3 starts"));
        let cases = fs::read_to_string(cases).ok();
        let cases = cases.map(|xml| verdicts(&xml));
        let found = if mode == Mode::Plain {
            0
        } else {
            expect_reports(reports.path(), mode, pid, cases.is_some())
        };
        Results {
            cases,
            log: String::from_utf8_lossy(&fs::read(log).expect("a log")).into_owned(),
            reports: found,
        }
    }
}

/// Waits for a child, and then kills what is left of its process group. Returns the child's process id.
fn await_end(child: &mut Child) -> u32 {
    let begin = Instant::now();
    while child.try_wait().expect("the child is ours").is_none() && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    // SAFETY: sends a signal to a group that exists until its first process has been waited for, or longer if it has
    // others.
    unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
    child.wait().expect("the child is ours");
    child.id()
}

/// Checks that every report can be read, and that there is one of the runner if it completed.
fn expect_reports(folder: &Path, mode: Mode, pid: u32, ended: bool) -> usize {
    let files = report_files(folder);
    let mut pids = Vec::new();
    for file in &files {
        let report = weir_report::read::load(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for process in &report.processes {
            let calls = |name| process.functions.get(name).map_or(0, |counts| counts.calls);
            // Under `weir run`, the child is the command, and the runner is a child of the command.
            let is_runner = match mode {
                Mode::Run => process.parent_pid == pid,
                _ => process.pid == pid,
            };
            if is_runner && calls("read") > 100 {
                pids.push(process.pid);
            }
        }
    }
    assert!(!ended || !pids.is_empty(), "no report of the runner");
    files.len()
}

/// The cases in the runner's file. It has one element for each case, which contains another element unless the case
/// passed. Text that cases print is escaped there.
fn verdicts(xml: &str) -> BTreeMap<String, Verdict> {
    let mut verdicts = BTreeMap::new();
    for case in xml.split("<testcase ").skip(1) {
        let name = case
            .split_once("name=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        let name = name.expect("a case has a name").0.to_owned();
        let verdict = if case.contains("<error") || case.contains("<failure") {
            Verdict::Failed
        } else if case.contains("<skipped") {
            Verdict::Skipped
        } else {
            Verdict::Passed
        };
        let known = verdicts.entry(name).or_insert(verdict);
        // Parts of a case are listed one by one, under the name of the case.
        *known = verdict.max(*known);
    }
    verdicts
}
