//! Code that a program has made while it ran, which is in no object: named as far as the program has described it for perf.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use weir_report::model::{CodeName, Module, Process};

use super::naming::code_place;
use crate::symbols::{Place, jitdump, perf_map};

/// Writes the names of such code into the report of a process, if the program has written them: to a file `jit-PID.dump` of its own, or to
/// `/tmp/perf-PID.map`. The code is then an object of this path.
pub fn name_made_code(process: &mut Process) {
    // Of several processes together, nobody knows whose it was.
    if process.folded.is_some() {
        return;
    }
    let since = process.started_unix_ns;
    for path in dumps(process) {
        name_by(process, &path, |pid, calls| {
            jitdump::read(&path, pid, since, calls)
        });
    }
    let path = PathBuf::from(format!("/tmp/perf-{}.map", process.pid));
    name_by(process, &path, |_, calls| {
        perf_map::read(&path, since, calls)
    });
}

/// The files with names and lines that the process has opened.
fn dumps(process: &Process) -> Vec<PathBuf> {
    let name = format!("jit-{}.dump", process.pid);
    let opened = process
        .files
        .listed
        .iter()
        .map(|file| Path::new(&file.name));
    let is_one = |path: &&Path| path.is_absolute() && path.file_name() == Some(OsStr::new(&name));
    opened.filter(is_one).map(Path::to_owned).collect()
}

/// Names the code that has no name yet, as far as a file has names for it: for the number of a process, and addresses in order.
fn name_by(
    process: &mut Process,
    path: &Path,
    read: impl FnOnce(u32, &[u64]) -> io::Result<Vec<Option<Place>>>,
) {
    let Some(stacks) = &mut process.stacks else {
        return;
    };
    let places = stacks.frames.iter().filter(|frame| frame.module.is_none());
    let mut offsets: Vec<u64> = places.map(|frame| frame.offset).collect();
    if offsets.is_empty() {
        return;
    }
    offsets.sort_unstable();
    offsets.dedup();
    // A return address stands behind its call, which may be the last instruction of a function.
    let calls: Vec<u64> = offsets
        .iter()
        .map(|offset| offset.saturating_sub(1))
        .collect();
    let Ok(found) = read(process.pid, &calls) else {
        return;
    };
    let named = offsets.into_iter().zip(found);
    let names: Vec<CodeName> = named
        .filter_map(|(offset, place)| {
            let places = vec![code_place(place?)];
            Some(CodeName { offset, places })
        })
        .collect();
    if names.is_empty() {
        return;
    }
    let Ok(module) = u32::try_from(stacks.modules.len()) else {
        return;
    };
    let frames = stacks.frames.iter_mut();
    for frame in frames.filter(|frame| frame.module.is_none()) {
        let is_named = names
            .binary_search_by_key(&frame.offset, |name| name.offset)
            .is_ok();
        frame.module = Some(module).filter(|_| is_named);
    }
    stacks.modules.push(Module {
        path: path.to_string_lossy().into_owned(),
        language: Some(MADE_WHILE_RUNNING.to_owned()),
        names,
        ..Module::default()
    });
}

/// What the report calls the language of such code.
pub const MADE_WHILE_RUNNING: &str = "jit";
