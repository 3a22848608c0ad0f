//! A program to run, how to run it, and its outcome.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use weir_report::model::{Process, Report};

use super::finish::{PATIENCE, finish_within, patient};
use super::weir;

/// A new folder, which is removed when it is dropped.
pub fn scratch() -> TempDir {
    TempDir::with_prefix("weir-test-").expect("a temporary folder")
}

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Without Weir.
    Plain,
    /// With LD_PRELOAD and nothing else.
    Bare,
    /// By `weir run --quiet`.
    Run,
}

impl Mode {
    /// Both ways of measuring.
    pub const MEASURED: [Mode; 2] = [Mode::Bare, Mode::Run];
}

type Preparation = dyn Fn() -> io::Result<()> + Send + Sync;

/// A program to run.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    stdin: Vec<u8>,
    folder: Option<PathBuf>,
    before_exec: Vec<Arc<Preparation>>,
    reports_expected: bool,
    patience: Duration,
}

impl Program {
    /// The program at a path, without arguments, with empty standard input.
    pub fn new(path: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            args: Vec::new(),
            env: vec![("LC_ALL".into(), Some("C".into()))],
            stdin: Vec::new(),
            folder: None,
            before_exec: Vec::new(),
            reports_expected: true,
            patience: patient(PATIENCE),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Program {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Program {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable of the program (and of `weir run` before it).
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.env
            .push((name.into(), Some(value.as_ref().to_owned())));
        self
    }

    /// Sets the program's standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Program {
        self.stdin = bytes.into();
        self
    }

    /// The program's standard input.
    pub fn input(&self) -> &[u8] {
        &self.stdin
    }

    /// Runs the program in this folder. By default, it runs in an empty folder, which is removed afterwards.
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Program {
        self.folder = Some(folder.into());
        self
    }

    /// Calls `preparation` in the child before the program (or `weir run`) is executed. It runs between fork and
    /// exec, so it may make system calls only.
    pub fn before_exec(
        mut self,
        preparation: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Program {
        self.before_exec.push(Arc::new(preparation));
        self
    }

    /// Another program executes this one: it takes a command line after its own arguments.
    pub fn by(&self, other: &str, args: &[&str]) -> Program {
        let mut program = self.clone();
        let own = std::mem::replace(&mut program.path, other.into());
        program.args = args.iter().map(OsString::from).collect();
        program.args.push(own.into());
        program.args.extend_from_slice(&self.args);
        program
    }

    /// For surroundings in which no report can be written.
    pub fn without_reports(mut self) -> Program {
        self.reports_expected = false;
        self
    }

    /// For a program that may take longer than others.
    pub fn patience(mut self, patience: Duration) -> Program {
        self.patience = patient(patience);
        self
    }

    /// Runs the program without Weir.
    pub fn plain(&self) -> Outcome {
        self.run(Mode::Plain)
    }

    /// Runs the program.
    pub fn run(&self, mode: Mode) -> Outcome {
        let own_folder = scratch();
        let folder = self.folder.as_deref().unwrap_or(own_folder.path());
        let reports = scratch();
        let mut command = self.command(mode, &reports.path().join("report.json"));
        command.current_dir(folder);
        // A killed process leaves its region, but this folder is removed.
        let regions = TempDir::with_prefix_in("weir-test-", "/dev/shm").expect("a folder");
        let region_dir = weir_record::settings::REGION_DIR.name;
        if mode == Mode::Bare && self.env.iter().all(|(name, _)| name != region_dir) {
            command.env(region_dir, regions.path());
        }
        let before: Vec<_> = report_files(folder);
        let (status, stdout, stderr) = finish_within(self.patience, &mut command, &self.stdin);
        let files = match mode {
            Mode::Plain => Vec::new(),
            Mode::Run => vec![reports.path().join("report.json")],
            Mode::Bare => {
                let mut files = report_files(folder);
                files.retain(|file| !before.contains(file));
                files
            }
        };
        let read = |file: &PathBuf| {
            weir_report::read::load(file).unwrap_or_else(|error| {
                panic!(
                    "{}: {error}\nstderr: {}",
                    file.display(),
                    String::from_utf8_lossy(&stderr)
                )
            })
        };
        let reports: Vec<Report> = if self.reports_expected {
            files.iter().map(read).collect()
        } else {
            Vec::new()
        };
        assert!(
            mode == Mode::Plain || !self.reports_expected || !reports.is_empty(),
            "{}: no report; stderr: {}",
            self.path.display(),
            String::from_utf8_lossy(&stderr)
        );
        Outcome {
            mode,
            status,
            stdout,
            stderr,
            reports,
        }
    }

    /// The command that runs the program, without a working directory.
    pub fn command(&self, mode: Mode, report: &Path) -> Command {
        let mut command = match mode {
            Mode::Run => {
                let mut command = Command::new(weir::command());
                command
                    .args(["run", "--quiet", "--all-processes", "--out"])
                    .arg(report)
                    .arg("--")
                    .arg(&self.path);
                command
            }
            _ => Command::new(&self.path),
        };
        command.args(&self.args);
        for name in ["LD_PRELOAD", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        for setting in weir_record::settings::ALL {
            command.env_remove(setting.name);
        }
        if mode == Mode::Bare {
            command.env("LD_PRELOAD", weir::library());
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        for preparation in &self.before_exec {
            let preparation = preparation.clone();
            // SAFETY: preparations make system calls only, as `before_exec` requires.
            unsafe { command.pre_exec(move || preparation()) };
        }
        command
    }
}

/// Copies a program in a process of its own. If this process copied it, a child that another thread forks meanwhile
/// would have the copy open for writing. Then the kernel refuses to execute it (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(status.expect("started").success());
}

/// The reports that the bare library left in a folder, in any order.
pub fn report_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("weir.") && name.contains(".json")
        })
        .collect()
}

/// The outcome of a run.
pub struct Outcome {
    /// How it was run.
    pub mode: Mode,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// The reports, in any order. `weir run` writes exactly one.
    pub reports: Vec<Report>,
}

impl Outcome {
    /// Every process image of the reports, in the order of their starts.
    pub fn processes(&self) -> Vec<&Process> {
        let mut processes: Vec<_> = self
            .reports
            .iter()
            .flat_map(|report| &report.processes)
            .collect();
        processes.sort_by_key(|process| process.started_unix_ns);
        processes
    }

    /// The only process image. Fails if there are several.
    #[track_caller]
    pub fn process(&self) -> &Process {
        match self.processes()[..] {
            [process] => process,
            ref processes => panic!("{:?}: {} process images", self.mode, processes.len()),
        }
    }

    /// Standard output, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error, as text.
    pub fn complaints(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails unless the program ended with this exit status.
    #[track_caller]
    pub fn expect_status(self, status: i32) -> Outcome {
        assert_eq!(
            self.status.code(),
            Some(status),
            "{:?}: {}\nstdout: {}\nstderr: {}",
            self.mode,
            self.status,
            self.text(),
            self.complaints()
        );
        self
    }

    /// Fails unless the run looks the same as `plain`: the same output, and the same exit status or signal.
    #[track_caller]
    pub fn expect_same(self, plain: &Outcome) -> Outcome {
        assert_eq!(self.text(), plain.text(), "{:?}: stdout", self.mode);
        assert_eq!(
            self.complaints(),
            plain.complaints(),
            "{:?}: stderr",
            self.mode
        );
        assert!(self.stdout == plain.stdout && self.stderr == plain.stderr);
        let end = |outcome: &Outcome| (outcome.status.code(), outcome.status.signal());
        assert_eq!(
            end(&self),
            end(plain),
            "{:?}: exit status and signal",
            self.mode
        );
        self
    }
}
