//! What may prevent a program from being traced, apart from the program itself: what it would inherit from this process, and
//! the places of the library and the regions.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use rustix::process::{Resource, getrlimit};
use weir_record::region::Room;

use super::elf::Unsuitable;
use super::libraries::{Found, Preload};
use super::{Findings, trial, verdict};
use crate::exit_code;
use crate::failure::{Failure, with_causes};
use crate::library::Library;
use crate::session::{self, Session};
use crate::units;

/// A stack of which a fork and an exec may take a good part.
const SMALL_STACK: u64 = 64 << 10;

/// As many descriptors as programs have open when they start, and weir when it writes a report, and a few.
const FEW_DESCRIPTORS: u64 = 16;

/// Looks around, and makes a trial. What is found is a sentence each; one, where all is well.
///
/// # Errors
/// Where `weir run` would not run the program, in the same words; or nothing would be measured.
pub fn look(findings: &Findings) -> Result<Vec<String>, Failure> {
    let session = Session::new()?;
    let library = Library::locate(session.path())?;
    findings.check(&library)?;
    can_be_loaded(library.path())?;

    let mut remarks = Vec::new();
    let preloads = findings.preloads.iter();
    remarks.extend(preloads.map(|preload| of_preload(preload, library.path())));
    remarks.extend(of_regions(session.path()));
    remarks.extend(of_cache(library.path(), session.path()));
    remarks.extend(of_proc());
    let limits = of_limits();
    let has_limits = !limits.is_empty();
    remarks.extend(limits);
    let filtered = is_filtered();
    match trial::make(library.path(), session.path()) {
        Ok(trial) => {
            if let Err(reason) = &trial.run {
                return Err(Failure::new(
                    exit_code::CANNOT_TRACE,
                    format!("nothing can be measured here: weir run failed in a trial: {reason}"),
                ));
            }
            if filtered {
                remarks.push(
                    "it will inherit a filter of system calls (seccomp), as in a container: a trial under the filter was measured"
                        .to_owned(),
                );
            }
            let notes = trial.remarks().into_iter();
            // The remarks above say which limit it was.
            remarks.extend(notes.filter(|note| !(has_limits && note.contains("a resource limit"))));
            if remarks.is_empty() {
                remarks.push(
                    "no problem in the environment: trials under weir run and with LD_PRELOAD alone were measured"
                        .to_owned(),
                );
            }
        }
        Err(failure) => remarks.push(format!(
            "no trial could be made ({}): the effect of a sandbox or a limit on Weir is not known here",
            failure.in_one_line()
        )),
    }
    Ok(remarks)
}

/// Whether the dynamic linker can map the library's code.
fn can_be_loaded(library: &Path) -> Result<(), Failure> {
    let trouble = if access(library, Access::READ_OK).is_err() {
        "cannot be read by this user"
    } else if statvfs(library).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        "lies on a file system that is mounted noexec"
    } else {
        return Ok(());
    };
    Err(Failure::new(
        exit_code::CANNOT_TRACE,
        format!(
            "{} {trouble}, so no program can load it, and nothing would be measured",
            library.display()
        ),
    ))
}

/// What it means that something is preloaded already.
fn of_preload(preload: &Preload, ours: &Path) -> String {
    let name = preload.name.display();
    let consequence =
        "the dynamic linker prints a message in the program's name, and continues without it";
    match &preload.found {
        Found::Missing => {
            format!("{name} is in LD_PRELOAD, and is not found: {consequence}")
        }
        Found::Unsuitable(path, Unsuitable::Foreign(kind)) => format!(
            "{} is in LD_PRELOAD, and is for {kind} programs: {consequence}",
            path.display()
        ),
        Found::Unsuitable(path, _) => format!(
            "{} is in LD_PRELOAD, and is not a library: {consequence}",
            path.display()
        ),
        Found::Unknown => format!("{name} is in LD_PRELOAD, and cannot be read"),
        Found::Library(library) => {
            let path = library.path.display();
            if is_same(&library.path, ours) {
                return format!(
                    "{path} is preloaded already, and is Weir's library: it is loaded once"
                );
            }
            if is_weirs(&library.path) {
                return format!(
                    "{path} is preloaded already, and is another copy of Weir's library, which counts every call again: remove it from LD_PRELOAD"
                );
            }
            match library.image.defines.as_deref() {
                Some(names @ [_, ..]) => format!(
                    "{path} is preloaded already, and defines {}: under weir run, calls reach Weir first",
                    verdict::listed(names)
                ),
                _ => format!("{path} is preloaded already: under weir run, it comes after Weir"),
            }
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(one).is_some_and(|path| Some(path) == real(other))
}

/// Whether a library is Weir's, of any build, by its name.
fn is_weirs(path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], OsStr::as_bytes);
    let rest = name
        .strip_prefix(b"libweir")
        .and_then(|rest| rest.strip_suffix(b".so"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
}

/// Where regions cannot be made in the first place.
fn of_regions(session: &Path) -> Option<String> {
    let wanted = session::directories().into_iter().next()?;
    let trouble = session::in_directory(&wanted).err()?;
    let may_write = access(&wanted, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let taken = session.parent().unwrap_or(session).display();
    let wanted = wanted.display();
    // The library's files there have the mode 0600, and names that nobody can guess.
    if may_write && trouble.kind() == io::ErrorKind::PermissionDenied {
        return Some(format!(
            "other users can change {wanted}: only the library without weir run makes regions there; under weir run, they are made in {taken}"
        ));
    }
    Some(format!(
        "regions cannot be made in {wanted}: {}; under weir run, they are made in {taken}",
        with_causes(&trouble),
    ))
}

/// The remark if the embedded library cannot be kept in the cache.
fn of_cache(library: &Path, session: &Path) -> Option<String> {
    let is_unpacked = is_weirs(library) && library.file_name() != Some(OsStr::new("libweir.so"));
    let parent = library.parent().unwrap_or(library);
    let is_kept = !parent.starts_with(session) && parent.file_name() == Some(OsStr::new("weir"));
    (is_unpacked && !is_kept).then(|| {
        format!(
            "the library cannot be kept in the cache: XDG_CACHE_HOME or HOME is not set, cannot be written to, is mounted noexec, or can be changed by other users; each run makes a copy of the library ({})",
            library.display()
        )
    })
}

/// What cannot be known of processes.
fn of_proc() -> Option<String> {
    if !Path::new("/proc/self/stat").exists() {
        return Some(
            "/proc is not mounted: the report will have no path of the executable, and no names of files that were not opened under Weir; it will say how a process ended only if the process or its parent recorded that"
                .to_owned(),
        );
    }
    // The first process is always there.
    (!Path::new("/proc/1/stat").exists()).then(|| {
        "/proc hides the processes of other users (hidepid): the report will say how such a process ended only if the process or its parent recorded that"
            .to_owned()
    })
}

/// Limits that take something from the report.
fn of_limits() -> Vec<String> {
    let mut remarks = Vec::new();
    let limit = |resource| getrlimit(resource).current;
    for (resource, what, option) in [
        (Resource::As, "address space", "-v"),
        (Resource::Data, "data", "-d"),
        (Resource::Fsize, "the size of files", "-f"),
    ] {
        let hurts = |limit: &u64| resource != Resource::Fsize || *limit < Room::MOST.bytes() as u64;
        if let Some(limit) = limit(resource).filter(hurts) {
            remarks.push(format!(
                "a limit on {what} (ulimit {option}, {}): only a few threads have counters of their own; the other threads are counted together",
                units::bytes(limit)
            ));
        }
    }
    if let Some(limit) = limit(Resource::Stack).filter(|&limit| limit < SMALL_STACK) {
        remarks.push(format!(
            "a limit on the stack (ulimit -s, {}): a fork or an exec may take 8 KiB of the stack",
            units::bytes(limit)
        ));
    }
    if let Some(limit) = limit(Resource::Nofile).filter(|&limit| limit < FEW_DESCRIPTORS) {
        remarks.push(format!(
            "a limit on descriptors (ulimit -n, {limit}): a program that has no free descriptor when it starts is not measured"
        ));
    }
    remarks
}

/// Whether this process is in a filter of system calls, which its children inherit.
fn is_filtered() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    value.is_some_and(|value| value.trim() != "0")
}
