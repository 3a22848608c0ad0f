//! A trial: Weir traces a program that does nothing, under `weir run` and with LD_PRELOAD alone, in the environment of the
//! program. So the doctor knows what a sandbox, a limit or a file system forbids, and need not guess.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use weir_record::settings;
use weir_report::read;

use super::search;
use crate::failure::Failure;
use crate::session;
use crate::text;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(1);

/// The notes of the report, or why there is no report.
pub type Outcome = Result<Vec<String>, String>;

/// Under `weir run`, and with LD_PRELOAD alone.
#[derive(Debug)]
pub struct Trial {
    /// Under `weir run`.
    pub run: Outcome,
    /// With LD_PRELOAD alone.
    pub bare: Outcome,
}

/// Makes a trial with a library, in a directory for its files. The error is why no trial could be made: that says nothing of
/// its result.
pub fn make(library: &Path, directory: &Path) -> Result<Trial, Failure> {
    let weir =
        own_path().ok_or_else(|| Failure::of_weir("the path of weir itself is not known"))?;
    let idle = Idle::find(&weir)
        .ok_or_else(|| Failure::of_weir("no program that does nothing can be traced here"))?;
    let out = directory.join("run.json");
    let mut run = Command::new(&weir);
    run.args(["run", "--quiet", "--out"])
        .arg(&out)
        .arg("--")
        .arg(&idle.program)
        .args(idle.arguments);
    let run = measured(&mut run, directory, &out)?;

    let out = directory.join("alone.json");
    let mut preload = OsString::from(library);
    if let Some(others) = std::env::var_os("LD_PRELOAD").filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    let mut bare = Command::new(&idle.program);
    bare.args(idle.arguments)
        .env("LD_PRELOAD", preload)
        .env(settings::OUT.name, &out)
        .env_remove(settings::SESSION.name);
    let bare = measured(&mut bare, directory, &out)?;
    Ok(Trial { run, bare })
}

/// A program that does nothing, to be traced in a trial.
struct Idle {
    program: PathBuf,
    arguments: &'static [&'static str],
}

impl Idle {
    /// The system's, else weir itself, which can be traced only where it was not linked statically.
    fn find(weir: &Path) -> Option<Idle> {
        const SYSTEM_S: [(&str, &[&str]); 2] = [("true", &[]), ("sh", &["-c", ":"])];
        let system_s = SYSTEM_S.into_iter().flat_map(|(name, arguments)| {
            let places = search::DEFAULT_PATH.split(':');
            places.map(move |place| (Path::new(place).join(name), arguments))
        });
        let own: (PathBuf, &[&str]) = (weir.to_owned(), &["--version"]);
        let mut all = system_s.chain([own]);
        all.find_map(|(program, arguments)| {
            super::inspect(program.as_os_str()).ok()?;
            Some(Idle { program, arguments })
        })
    }
}

fn own_path() -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    // Without /proc there is what it was called by.
    own.or_else(|| {
        let name = PathBuf::from(std::env::args_os().next()?);
        (name.components().count() > 1).then_some(name)
    })
}

fn measured(command: &mut Command, directory: &Path, out: &Path) -> Result<Outcome, Failure> {
    let errors = directory.join("errors");
    let stderr = File::create(&errors).map_err(|error| Failure::of_file("make", &errors, error))?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    let spawned = command.spawn();
    let mut child = spawned.map_err(|error| {
        let program = command.get_program().display();
        Failure::of_weir(format!("{program} cannot be executed")).because(error)
    })?;
    let ended = wait(&mut child);
    remove_regions(child.id());
    let Some(ended) = ended else {
        return Ok(Err("it did not end".to_owned()));
    };
    let said = std::fs::read(&errors).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    // Where there is no report, what was said last is most to the point.
    let reason = || match said.lines().last() {
        Some(line) => line.trim_start_matches("weir: ").to_owned(),
        None => format!("{ended}, without a report"),
    };
    let process = read::load(out)
        .ok()
        .and_then(|report| report.processes.into_iter().next());
    Ok(process
        .map(|process| process.missed.notes)
        .ok_or_else(reason))
}

/// Removes the region of a trial that could write no report, which else would be left for `weir recover`.
fn remove_regions(pid: u32) {
    let own = format!("weir.{pid}.");
    for entry in session::directories()
        .into_iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&own) && name.ends_with(".region") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn wait(child: &mut Child) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(STEP),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

impl Trial {
    /// The notes that the report of any program will have here, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let notes = |outcome: &Outcome| -> Vec<String> {
            // What the heap of the program will be like is known of itself.
            let notes = outcome.iter().flatten();
            notes
                .filter(|note| !note.starts_with("the heap is not known"))
                .cloned()
                .collect()
        };
        let (run, bare) = (notes(&self.run), notes(&self.bare));
        let mut remarks: Vec<String> = run
            .iter()
            .map(|note| format!("in a trial: {note}"))
            .collect();
        let only_bare = bare.iter().filter(|note| !run.contains(note));
        remarks.extend(only_bare.map(|note| format!("in a trial with LD_PRELOAD alone: {note}")));
        if let Err(reason) = &self.bare {
            remarks.push(format!(
                "a trial with LD_PRELOAD alone left no report ({}): use weir run",
                text::printable(reason)
            ));
        }
        remarks
    }
}
