//! What `weir doctor` says is true, under `weir run` and with LD_PRELOAD alone.

mod programs;
mod surroundings;

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;
use weir_report::model::{IoUringSeen, Process, Report};

use crate::support::{Mode, NARROW_COMPILER, Program, finish, scratch, succeed, victim, weir};

const OTHER: u32 = 65_001;
const HEAP: &str = "the heap will not be known: ";

/// How a command ended, and what it printed.
#[derive(Debug)]
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// What the doctor says about a program, and what then happens.
struct Seen {
    doctor: Ended,
    plain: Ended,
    run: (Ended, Option<Report>),
    bare: (Ended, Option<Report>),
}

/// Where a program runs: a shell prepares the place, in file systems of its own.
#[derive(Clone, Copy)]
struct Place<'a> {
    script: &'a str,
    weir: &'a Path,
    library: &'a Path,
}

/// The place in which the tests themselves run.
fn here() -> Place<'static> {
    within(":")
}

/// A place that a shell script has prepared.
fn within(script: &str) -> Place<'_> {
    Place {
        script,
        weir: weir::command(),
        library: weir::library(),
    }
}

impl Place<'_> {
    fn command(&self, words: &[&OsStr], set: &[(&str, &OsStr)]) -> Ended {
        let folder = scratch();
        let mut command = Command::new("/usr/bin/unshare");
        let script = format!("{} && exec \"$@\"", self.script);
        // The settings apply to the program, not to the shell before it.
        command.args(["--mount", "/bin/sh", "-c", &script, "sh", "/usr/bin/env"]);
        for (name, value) in set {
            let mut setting = std::ffi::OsString::from(format!("{name}="));
            setting.push(value);
            command.arg(setting);
        }
        command.args(words).current_dir(&folder);
        for name in [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "ASAN_OPTIONS",
            "XDG_CACHE_HOME",
        ] {
            command.env_remove(name);
        }
        for setting in weir_record::settings::ALL {
            command.env_remove(setting.name);
        }
        let (status, stdout, stderr) = finish(&mut command, b"");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    fn see(&self, program: &Path, set: &[(&str, &str)]) -> Seen {
        let set: Vec<_> = set
            .iter()
            .map(|&(name, value)| (name, OsStr::new(value)))
            .collect();
        let reports = scratch();
        // So that any user can write there.
        fs::set_permissions(reports.path(), Permissions::from_mode(0o1777)).expect("ours");
        let (run, bare) = (
            reports.path().join("run.json"),
            reports.path().join("bare.%p.json"),
        );
        let program = program.as_os_str();
        let weir = self.weir.as_os_str();
        let with = |words: &[&str], last: &[&OsStr]| {
            let words: Vec<_> = [weir]
                .into_iter()
                .chain(words.iter().map(OsStr::new))
                .collect();
            self.command(&[&words[..], last].concat(), &set)
        };
        let load = |path: &Path| weir_report::read::load(path).ok();
        let doctor = with(&["doctor"], &[program]);
        let plain = self.command(&[program], &set);
        let ran = with(&["run", "--quiet", "--out"], &[run.as_os_str(), program]);
        let mut preload = self.library.as_os_str().to_owned();
        let mut set_bare: Vec<_> = set.clone();
        if let Some((_, others)) = set.iter().find(|(name, _)| *name == "LD_PRELOAD") {
            preload.push(":");
            preload.push(others);
        }
        set_bare.push(("LD_PRELOAD", &preload));
        set_bare.push(("WEIR_OUT", bare.as_os_str()));
        let alone = self.command(&[program], &set_bare);
        Seen {
            doctor,
            plain,
            run: (ran, load(&run)),
            bare: (alone, of_first_process(reports.path())),
        }
    }
}

/// The images of the process that was started with LD_PRELOAD alone: each has left a report.
fn of_first_process(folder: &Path) -> Option<Report> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut reports: Vec<Report> = paths
        .filter(|path| path.file_name() != Some(OsStr::new("run.json")))
        .filter_map(|path| weir_report::read::load(&path).ok())
        .collect();
    reports.sort_by_key(|report| report.started_unix_ns);
    let mut images = reports.into_iter();
    let mut first = images.next()?;
    let pid = first.processes[0].pid;
    let others = images.flat_map(|report| report.processes);
    first
        .processes
        .extend(others.filter(|image| image.pid == pid));
    Some(first)
}

impl Seen {
    /// Checks that the doctor says that the program can be traced, and that it is traced. It ends as without Weir,
    /// and its heap is known or not, as the doctor says.
    #[track_caller]
    fn expect_traced(self) -> Traced {
        let said = self.doctor.stdout;
        assert_eq!(
            self.doctor.status.code(),
            Some(0),
            "{said}{}",
            self.doctor.stderr
        );
        let unpack = |(ended, report): (Ended, Option<Report>)| {
            let report = report.unwrap_or_else(|| panic!("no report: {ended:?}; {said}"));
            assert_eq!(ended.status, self.plain.status, "{ended:?}");
            assert_eq!(ended.stdout, self.plain.stdout);
            report
        };
        let (run, bare) = (unpack(self.run), unpack(self.bare));
        for report in [&run, &bare] {
            let heap = &report.processes[0].heap;
            match &heap.not_known {
                Some(reason) => assert!(
                    said.contains(&format!("{HEAP}{reason}")),
                    "{reason}: {said}"
                ),
                None => assert!(!said.contains(HEAP), "it is known: {said}"),
            }
        }
        // The reports contain what a trial has shown.
        for line in said.lines() {
            let notes = |report: &Report| report.processes[0].missed.notes.clone();
            if let Some(note) = line.strip_prefix("- in a trial: ") {
                assert!(notes(&run).iter().any(|is| is == note), "{note}");
            } else if let Some(note) = line.strip_prefix("- in a trial with LD_PRELOAD alone: ") {
                assert!(notes(&bare).iter().any(|is| is == note), "{note}");
                assert!(!notes(&run).iter().any(|is| is == note), "{note}");
            }
        }
        Traced { said, run, bare }
    }

    /// Checks that the doctor says why the program cannot be traced. `weir run` says the same and does not start it.
    /// With LD_PRELOAD alone there is no report either.
    #[track_caller]
    fn expect_refused(self, code: i32, why: &str) {
        let said = &self.doctor.stderr;
        assert_eq!(
            self.doctor.status.code(),
            Some(code),
            "{said}{}",
            self.doctor.stdout
        );
        assert!(said.contains(why), "{said}");
        assert_eq!(
            said.lines()
                .filter(|line| line.starts_with("weir: "))
                .count(),
            1,
            "{said}"
        );
        let (run, report) = &self.run;
        assert_eq!(run.status.code(), Some(code), "{run:?}");
        assert_eq!((&run.stdout[..], &run.stderr), ("", said));
        assert!(report.is_none());
        assert!(self.bare.1.is_none(), "{:?}", self.bare.0);
    }
}

struct Traced {
    said: String,
    run: Report,
    bare: Report,
}

impl Traced {
    #[track_caller]
    fn says(self, what: &str) -> Traced {
        assert!(self.said.contains(what), "{what}: {}", self.said);
        self
    }

    #[track_caller]
    fn says_not(self, what: &str) -> Traced {
        assert!(!self.said.contains(what), "{what}: {}", self.said);
        self
    }

    fn reports(&self) -> [&Report; 2] {
        [&self.run, &self.bare]
    }

    fn processes(&self) -> [&Process; 2] {
        self.reports().map(|report| &report.processes[0])
    }
}

/// Compiles `tests/programs/answers.c`, or another source, with a compiler.
fn compiled(folder: &Path, compiler: &[&str], source: &str) -> PathBuf {
    let program = folder.join("program");
    let source = if source.ends_with(".c") {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/programs")
            .join(source)
    } else {
        let path = folder.join("source.c");
        fs::write(&path, source).expect("written");
        path
    };
    let mut command = Command::new(compiler[0]);
    command
        .arg("-o")
        .arg(&program)
        .arg(source)
        .args(&compiler[1..]);
    succeed(&mut command, b"");
    program
}

const ALLOCATES: &str = "#include <stdio.h>\n#include <stdlib.h>\n\
    int main(void) { char *block = malloc(100); snprintf(block, 100, \"fine\"); puts(block); free(block); return 4; }\n";

/// Copies of the command and the library in a folder that every user can read.
fn for_all() -> (TempDir, PathBuf, PathBuf) {
    let folder = scratch();
    let (command, library) = (folder.path().join("weir"), folder.path().join("libweir.so"));
    fs::copy(weir::command(), &command).expect("copied");
    fs::copy(weir::library(), &library).expect("copied");
    for path in [folder.path(), &command, &library] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("ours");
    }
    (folder, command, library)
}
