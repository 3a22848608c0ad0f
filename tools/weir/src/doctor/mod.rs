//! `weir doctor`: whether and how a program can be traced. `weir run` asks the same before it
//! starts a program, and refuses with the same line.
//!
//! ```text
//! search      from a name to a file, as execvp does it
//! access      whether the file may be executed at all
//! script      `#!` lines, and what /usr/bin/env makes of them
//! elf         what an ELF file says of itself
//! secure      whether the kernel would have the dynamic linker ignore LD_PRELOAD
//! verdict     what all that means for tracing
//! ```

mod access;
mod elf;
mod script;
mod search;
mod secure;
mod verdict;

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::DoctorArgs;
use crate::exit_code;
use crate::failure::{Failure, system_says};
use crate::output;
use crate::text;
use script::Script;
use secure::Credentials;

/// How many files a chain of interpreters may have. The kernel follows five in one exec; `env`
/// begins a new one.
const MAX_CHAIN: usize = 16;
/// The kernel looks no further for a `#!` line.
const SCRIPT_HEAD: u64 = 256;

/// What is to be known about a program that can be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The files that are started one after the other: a script, its interpreter, … the last is
    /// the ELF program that does the work.
    pub chain: Vec<PathBuf>,
    /// The dynamic linker that will load Weir; absent where the file could not be read.
    pub dynamic_linker: Option<PathBuf>,
    /// What the report will not show, and what else may surprise, a sentence each.
    pub remarks: Vec<String>,
}

/// Why a program cannot be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The exit code: [`exit_code::NOT_FOUND`] or [`exit_code::CANNOT_TRACE`].
    pub code: u8,
    /// One line.
    pub message: String,
}

impl Refusal {
    fn not_found(message: String) -> Refusal {
        Refusal {
            code: exit_code::NOT_FOUND,
            message,
        }
    }

    /// The file is there, and this is wrong with it.
    fn of(path: &Path, trouble: impl std::fmt::Display) -> Refusal {
        Refusal {
            code: exit_code::CANNOT_TRACE,
            message: format!("{} {trouble}", path.display()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::new(refusal.code, refusal.message)
    }
}

/// Says whether the program can be traced.
pub fn execute(args: &DoctorArgs) -> Result<(), Failure> {
    let findings = inspect(&args.program)?;
    output::print(&told(&findings))
}

/// Finds out whether a program, given as execvp takes it, can be traced.
pub fn inspect(program: &OsStr) -> Result<Findings, Refusal> {
    let path = std::env::var_os("PATH");
    inspect_as(program, path.as_deref(), &Credentials::of_this_process())
}

fn inspect_as(
    program: &OsStr,
    path: Option<&OsStr>,
    who: &Credentials,
) -> Result<Findings, Refusal> {
    let mut findings = Findings {
        chain: Vec::new(),
        dynamic_linker: None,
        remarks: Vec::new(),
    };
    let mut next = search::find(program, path)?;
    loop {
        if findings.chain.len() == MAX_CHAIN {
            return Err(Refusal::of(
                &findings.chain[0],
                "has a chain of interpreters without end",
            ));
        }
        let file = next.clone();
        findings.chain.push(file.clone());
        let Some(script) = read_head(&file)?.as_deref().and_then(script::parse) else {
            judge(&file, who, &mut findings)?;
            return Ok(findings);
        };
        next = interpreter(&file, script, path, who, &mut findings)?;
    }
}

/// The program that a script is for. Where that is found by `env`, `env` is the first to be
/// started, and must be traceable too.
fn interpreter(
    file: &Path,
    script: Script,
    path: Option<&OsStr>,
    who: &Credentials,
    findings: &mut Findings,
) -> Result<PathBuf, Refusal> {
    let Some(interpreter) = script.interpreter else {
        return Err(Refusal::of(file, "names no interpreter after its #!"));
    };
    let interpreter = PathBuf::from(interpreter);
    access::check(&interpreter).map_err(|error| {
        Refusal::of(
            file,
            format_args!(
                "is a script, and its interpreter {} {error}",
                interpreter.display()
            ),
        )
    })?;
    let Some(environment) = script.environment else {
        return Ok(interpreter);
    };
    if environment.drops_preload {
        return Err(Refusal::of(
            file,
            "has env take LD_PRELOAD out of the environment, so its interpreter would not be traced; run the interpreter itself",
        ));
    }
    judge(&interpreter, who, findings)?;
    findings.chain.push(interpreter);
    search::find(&environment.program, path).map_err(|refusal| Refusal {
        code: exit_code::CANNOT_TRACE,
        message: format!(
            "{} is a script for {}: {}",
            file.display(),
            environment.program.display(),
            refusal.message
        ),
    })
}

/// The beginning of a file that may be executed; none where it may not be read.
fn read_head(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    access::check(path).map_err(|error| Refusal::of(path, error))?;
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut head = Vec::new();
    let read = file.take(SCRIPT_HEAD).read_to_end(&mut head);
    read.map_err(|error| cannot_read(path, &error))?;
    Ok(Some(head))
}

/// The file, or nothing where it may be executed, but not be read.
fn open(path: &Path) -> Result<Option<File>, Refusal> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Refusal {
    Refusal::of(path, format_args!("cannot be read: {}", system_says(error)))
}

/// Adds to the findings what an ELF program is like.
fn judge(path: &Path, who: &Credentials, findings: &mut Findings) -> Result<(), Refusal> {
    if let Some(reason) = secure::elevation(path, who) {
        return Err(Refusal::of(
            path,
            format_args!("{reason}, so the dynamic linker ignores LD_PRELOAD for this user"),
        ));
    }
    let Some(file) = open(path)? else {
        findings.remarks.push(format!(
            "{} may be executed but not be read, so what it is like is not known",
            path.display()
        ));
        return Ok(());
    };
    let image = elf::read(file).map_err(|error| Refusal::of(path, error))?;
    let verdict = verdict::of(path, &image).map_err(|trouble| Refusal::of(path, trouble))?;
    findings.dynamic_linker = Some(verdict.dynamic_linker);
    findings.remarks.extend(verdict.remarks);
    Ok(())
}

fn told(findings: &Findings) -> String {
    let mut out = String::new();
    let [first, others @ ..] = findings.chain.as_slice() else {
        return out;
    };
    let _ = writeln!(out, "{} can be traced", shown(first));
    for interpreter in others {
        let _ = writeln!(out, "- its interpreter is {}", shown(interpreter));
    }
    if let Some(linker) = &findings.dynamic_linker {
        let _ = writeln!(out, "- its dynamic linker is {}", shown(linker));
    }
    for remark in &findings.remarks {
        let _ = writeln!(out, "- {}", text::printable(remark));
    }
    out
}

fn shown(path: &Path) -> String {
    text::printable(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests;
