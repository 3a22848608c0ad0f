//! `weir doctor`: whether and how a program can be traced. `weir run` makes the same checks before it
//! starts a program, and refuses with the same line.
//!
//! ```text
//! search        from a name to a file, as execvp does it
//! access        whether the file may be executed at all
//! script        `#!` lines, and how /usr/bin/env reads them
//! elf           the headers and tables of an ELF file
//! libraries     what the dynamic linker loads with it
//!   cache         the system's list of libraries
//! secure        whether the kernel would have the dynamic linker ignore LD_PRELOAD
//! verdict       the consequences for tracing
//! surroundings  the environment of the program: preloaded libraries, limits, a sandbox, no room
//!   trial         runs a program that does nothing under Weir
//! ```

mod access;
mod cache;
mod elf;
mod libraries;
mod script;
mod search;
mod secure;
mod surroundings;
mod trial;
mod verdict;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::DoctorArgs;
use crate::exit_code;
use crate::failure::Failure;
use crate::library::Library as Own;
use crate::output;
use crate::text;
use elf::{Depth, Image};
use libraries::{Library, Preload, Search};
use script::Script;
use secure::Credentials;

/// How many files a chain of interpreters may have. The kernel follows five in one exec; `env`
/// begins a new one.
const MAX_CHAIN: usize = 16;
/// The kernel looks no further for a `#!` line.
const SCRIPT_HEAD: u64 = 256;

/// What is known about a program that can be traced.
#[derive(Debug)]
pub struct Findings {
    /// The files that are started one after the other: a script, its interpreter, … the last is
    /// the ELF program that does the work.
    pub chain: Vec<PathBuf>,
    /// The dynamic linker that will load Weir; absent where the file could not be read.
    pub dynamic_linker: Option<PathBuf>,
    /// What the dynamic linker loads, the program first; nothing where the file could not be read.
    loaded: Vec<Library>,
    /// Whether they were not looked at, because they are nothing but the C library.
    has_only_the_c_library: bool,
    /// What is preloaded already.
    preloads: Vec<Preload>,
    /// What the report will not show, and what else may surprise, a sentence each.
    pub remarks: Vec<String>,
}

impl Findings {
    /// Refuses Weir's library where the program's libraries are too old for it: the dynamic linker would end the
    /// program.
    pub fn check(&self, library: &Own) -> Result<(), Failure> {
        let (Some(path), Some(dynamic_linker)) = (self.chain.last(), &self.dynamic_linker) else {
            return Ok(());
        };
        let library = library.path();
        let ours = File::open(library).ok();
        let Some(ours) = ours.and_then(|file| elf::read(file, Depth::Links).ok()) else {
            return Ok(());
        };
        if verdict::has_only_first_versions(&ours) {
            return Ok(());
        }
        let late = self.has_only_the_c_library.then(|| {
            let image = elf::read(File::open(path).ok()?, Depth::Links).ok()?;
            Some(load(path, image, dynamic_linker, Depth::Links).1)
        });
        let loaded = late.flatten();
        match verdict::lacking(&ours, loaded.as_ref().unwrap_or(&self.loaded)) {
            Some((other, version)) => Err(refused(
                path,
                format_args!(
                    "has a {} without {version}, which {} needs; build Weir on a system that is as old as the program's",
                    other.display(),
                    library.display()
                ),
            )),
            None => Ok(()),
        }
    }
}

/// A program cannot be traced: the file is there, and this is wrong with it.
fn refused(path: &Path, trouble: impl std::fmt::Display) -> Failure {
    Failure::new(
        exit_code::CANNOT_TRACE,
        format!("{} {trouble}", path.display()),
    )
}

/// Says whether the program can be traced.
pub fn execute(args: &DoctorArgs) -> Result<(), Failure> {
    let mut findings = inspect_with(&args.program, Depth::Symbols)?;
    findings
        .remarks
        .extend(verdict::of_valgrind(&findings.chain));
    let around = surroundings::look(&findings)?;
    findings.remarks.extend(around);
    output::print(&text_of(&findings))
}

/// Finds out whether a program, given as execvp takes it, can be traced; without remarks, which take longer.
///
/// # Errors
/// Where it cannot be: the exit code is [`exit_code::NOT_FOUND`] or [`exit_code::CANNOT_TRACE`].
pub fn inspect(program: &OsStr) -> Result<Findings, Failure> {
    inspect_with(program, Depth::Links)
}

fn inspect_with(program: &OsStr, depth: Depth) -> Result<Findings, Failure> {
    let path = std::env::var_os("PATH");
    let who = Credentials::of_this_process();
    inspect_as(program, path.as_deref(), &who, depth)
}

fn inspect_as(
    program: &OsStr,
    path: Option<&OsStr>,
    who: &Credentials,
    depth: Depth,
) -> Result<Findings, Failure> {
    let mut findings = Findings {
        chain: Vec::new(),
        dynamic_linker: None,
        loaded: Vec::new(),
        has_only_the_c_library: false,
        preloads: Vec::new(),
        remarks: Vec::new(),
    };
    let mut next = search::find(program, path)?;
    loop {
        if findings.chain.len() == MAX_CHAIN {
            return Err(refused(
                &findings.chain[0],
                "has an endless chain of interpreters",
            ));
        }
        let file_path = next.clone();
        findings.chain.push(file_path.clone());
        let file = open(&file_path)?;
        let head = file.as_ref().map(|file| read_head(&file_path, file));
        let head = head.transpose()?;
        let Some(script) = head.as_deref().and_then(script::parse) else {
            judge(&file_path, file, who, depth, &mut findings)?;
            return Ok(findings);
        };
        next = interpreter(&file_path, script, path, who, depth, &mut findings)?;
    }
}

/// The program that a script is for. Where that is found by `env`, `env` is the first to be
/// started, and must be traceable too.
fn interpreter(
    file: &Path,
    script: Script,
    path: Option<&OsStr>,
    who: &Credentials,
    depth: Depth,
    findings: &mut Findings,
) -> Result<PathBuf, Failure> {
    let Some(interpreter) = script.interpreter else {
        return Err(refused(file, "has no interpreter after its #!"));
    };
    let interpreter = PathBuf::from(interpreter);
    access::check(&interpreter).map_err(|denied| {
        denied.about(format_args!(
            "{} is a script, and its interpreter {}",
            file.display(),
            interpreter.display()
        ))
    })?;
    let Some(environment) = script.environment else {
        return Ok(interpreter);
    };
    if environment.drops_preload {
        return Err(refused(
            file,
            "makes env remove LD_PRELOAD from the environment, so its interpreter would not be traced; run the interpreter directly",
        ));
    }
    judge(&interpreter, open(&interpreter)?, who, depth, findings)?;
    findings.chain.push(interpreter);
    search::find(&environment.program, path).map_err(|failure| {
        let program = environment.program.display();
        refused(file, format_args!("is a script for {program}")).because(failure)
    })
}

/// The beginning of a file.
fn read_head(path: &Path, file: &File) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::with_capacity(SCRIPT_HEAD as usize);
    let read = file.take(SCRIPT_HEAD).read_to_end(&mut head);
    read.map_err(|error| cannot_read(path, error))?;
    Ok(head)
}

/// The file, or nothing where it may be executed, but not be read.
fn open(path: &Path) -> Result<Option<File>, Failure> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(cannot_read(path, error)),
    }
}

fn cannot_read(path: &Path, error: std::io::Error) -> Failure {
    refused(path, "cannot be read").because(error)
}

/// Adds to the findings what an ELF program is like; `file` is none where it may not be read.
fn judge(
    path: &Path,
    file: Option<File>,
    who: &Credentials,
    depth: Depth,
    findings: &mut Findings,
) -> Result<(), Failure> {
    if let Some(reason) = secure::elevation(path, who) {
        return Err(refused(
            path,
            format_args!("{reason}, so the dynamic linker ignores LD_PRELOAD for this user"),
        ));
    }
    let Some(file) = file else {
        findings.remarks.push(format!(
            "{} can be executed, but not read, so nothing else is known of it",
            path.display()
        ));
        return Ok(());
    };
    let image = elf::read(file, depth).map_err(|error| refused(path, error))?;
    let dynamic_linker = verdict::of(path, &image).map_err(|trouble| refused(path, trouble))?;
    let is_plain = variable("LD_LIBRARY_PATH").is_empty() && variable("LD_PRELOAD").is_empty();
    findings.has_only_the_c_library = depth == Depth::Links
        && is_plain
        && verdict::has_only_the_c_library(&dynamic_linker, &image);
    if findings.has_only_the_c_library {
        findings.dynamic_linker = Some(dynamic_linker);
        return Ok(());
    }
    let (preloads, loaded) = load(path, image, &dynamic_linker, depth);
    verdict::of_all(&loaded).map_err(|trouble| refused(path, trouble))?;
    if depth == Depth::Symbols {
        findings.remarks.extend(verdict::remarks(path, &loaded));
    }
    findings.dynamic_linker = Some(dynamic_linker);
    findings.loaded = loaded;
    findings.preloads = preloads;
    Ok(())
}

/// What is preloaded, and what is loaded with a program, itself first.
fn load(
    path: &Path,
    image: Image,
    dynamic_linker: &Path,
    depth: Depth,
) -> (Vec<Preload>, Vec<Library>) {
    let search = Search::new(dynamic_linker, Some(&variable("LD_LIBRARY_PATH")), depth);
    let program = Library {
        path: std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        image,
    };
    let preloads = search.preloaded(&program, &variable("LD_PRELOAD"));
    let loaded = search.all(program, &preloads);
    (preloads, loaded)
}

fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_default()
}

fn text_of(findings: &Findings) -> String {
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
