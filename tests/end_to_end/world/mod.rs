//! Common programs: with the library and without, bare and under `weir run`, they do and print the same.
//!
//! ```text
//! allocators   linked in, preloaded, and one of the tests' own
//! preloads     other preloaded libraries, before ours and after it
//! children     a shell's children, for another C library or word size
//! compilers    rustc and cargo
//! languages    node, java, ruby, php
//! servers      postgres, nginx and apache, killed and reloaded
//! sanitizers   programs that are built with one
//! browser      chromium in its sandbox
//! ```

mod allocators;
mod browser;
mod children;
mod compilers;
mod languages;
mod preloads;
mod sanitizers;
mod servers;

use std::os::unix::fs::chown;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use weir_report::model::Report;

use crate::support::{Mode, Program, finish, scratch, weir};

/// The time in seconds after which a program counts as hanging. The slowest takes five on a busy machine.
const PATIENCE: &str = "60";

/// Debian's user and group without rights.
const NOBODY: u32 = 65534;

/// A common program, and what it needs.
#[derive(Clone)]
struct World {
    program: Program,
    prepare: Arc<dyn Fn(&Path) + Send + Sync>,
    is_nobodys: bool,
    is_noisy: bool,
    beside: Option<String>,
}

/// The outcome of a run.
struct Ran {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    /// The report by `weir run`.
    report: Option<Report>,
}

impl World {
    fn new(program: Program) -> World {
        World {
            program: program.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            prepare: Arc::new(|_| ()),
            is_nobodys: false,
            is_noisy: false,
            beside: None,
        }
    }

    /// A script for the shell.
    fn script(script: &str) -> World {
        World::new(Program::new("/bin/sh").args(["-c", script]))
    }

    /// Fills the program's folder.
    fn prepared(mut self, prepare: impl Fn(&Path) + Send + Sync + 'static) -> World {
        self.prepare = Arc::new(prepare);
        self
    }

    /// Runs the program not as root: it and `weir run` have another user, who owns the folder.
    fn by_nobody(mut self) -> World {
        self.is_nobodys = true;
        self
    }

    /// Its standard error is different in each run.
    fn noisy(mut self) -> World {
        self.is_noisy = true;
        self
    }

    /// Preloads another library, too: before ours, and then after it.
    fn beside(mut self, library: &str) -> World {
        self.beside = Some(library.to_owned());
        self
    }

    /// The values of LD_PRELOAD for the program itself, in a mode. `None`: unchanged.
    fn preloads(&self, mode: Mode) -> Vec<Option<String>> {
        let ours = weir::library().display();
        match (&self.beside, mode) {
            (None, _) => vec![None],
            (Some(other), Mode::Plain) => vec![Some(other.clone())],
            (Some(other), _) => vec![
                Some(format!("{other}:{ours}")),
                Some(format!("{ours}:{other}")),
            ],
        }
    }

    fn run(&self, mode: Mode, preload: Option<&String>) -> Ran {
        let folder = scratch();
        (self.prepare)(folder.path());
        let program = match preload {
            Some(preload) => {
                let setting = format!("LD_PRELOAD={preload}");
                self.program.by("/usr/bin/env", &[&setting])
            }
            None => self.program.clone(),
        };
        let mut program = program
            .by("/usr/bin/timeout", &["-s", "KILL", PATIENCE])
            .env("HOME", folder.path());
        // SAFETY: the call only returns a number.
        if self.is_nobodys && unsafe { libc::geteuid() } == 0 {
            give_to_nobody(folder.path());
            program = program.before_exec(become_nobody);
        }
        let report = folder.path().join("report-of-weir-run.json");
        let mut command = program.command(mode, &report);
        let (status, stdout, stderr) = finish(command.current_dir(&folder), self.program.input());
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(stdout), text(stderr));
        Ran {
            report: (mode == Mode::Run).then(|| {
                weir_report::read::load(&report)
                    .unwrap_or_else(|error| panic!("{error}; {status}: {stdout}{stderr}"))
            }),
            status,
            stdout,
            stderr,
        }
    }

    /// Runs the program in all ways: it succeeds and does the same in each. Calls `check` with each report by `weir
    /// run`.
    #[track_caller]
    fn expect_same(&self, check: impl Fn(&Report)) {
        let plain = self.run(Mode::Plain, self.preloads(Mode::Plain)[0].as_ref());
        assert!(
            plain.status.success(),
            "without Weir: {}\nstdout: {}\nstderr: {}",
            plain.status,
            plain.stdout,
            plain.stderr
        );
        for mode in Mode::MEASURED {
            for preload in self.preloads(mode) {
                let ran = self.run(mode, preload.as_ref());
                let how = format!("{mode:?}, preloaded: {preload:?}");
                self.expect_like(&plain, &ran, &how);
                if let Some(report) = &ran.report {
                    check(report);
                }
            }
        }
    }

    #[track_caller]
    fn expect_like(&self, plain: &Ran, ran: &Ran, how: &str) {
        let end = |ran: &Ran| (ran.status.code(), ran.status.signal());
        assert_eq!(
            (end(ran), &ran.stdout),
            (end(plain), &plain.stdout),
            "{how}: the end and the output; stderr: {}",
            ran.stderr
        );
        if !self.is_noisy {
            assert_eq!(ran.stderr, plain.stderr, "{how}: stderr");
        }
        for word in ["weir: ", "ld.so"] {
            assert!(!ran.stderr.contains(word), "{how}: {}", ran.stderr);
        }
    }
}

/// How many times a function was called in all images of an executable.
fn calls(report: &Report, executable: &str, function: &str) -> u64 {
    report
        .processes
        .iter()
        .filter(|image| Path::new(&image.executable).ends_with(executable))
        .filter_map(|image| image.functions.get(function))
        .map(|function| function.calls)
        .sum()
}

/// Checks that the executable reads or writes, and that Weir saw it.
#[track_caller]
fn expect_seen(report: &Report, executable: &str) {
    let sum = calls(report, executable, "read") + calls(report, executable, "write");
    let seen: Vec<_> = report
        .processes
        .iter()
        .map(|image| &image.executable)
        .collect();
    assert_ne!(sum, 0, "{executable} is not seen, of {seen:?}");
}

fn give_to_nobody(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).expect("root gives a folder away");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        chown(&path, Some(NOBODY), Some(NOBODY)).expect("root gives a file away");
    }
}

fn become_nobody() -> std::io::Result<()> {
    // SAFETY: numbers, and no list of groups.
    let failed = unsafe {
        libc::setgroups(0, std::ptr::null()) != 0
            || libc::setgid(NOBODY) != 0
            || libc::setuid(NOBODY) != 0
    };
    if failed {
        Err(std::io::Error::last_os_error())
    } else {
        Ok(())
    }
}
