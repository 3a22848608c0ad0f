//! Code that a program has made while it ran, which is in no object: named as far as the program has told perf of it.

use std::path::PathBuf;

use weir_report::model::{CodeName, Module, Process};

use super::naming::code_place;
use crate::symbols::perf_map;

/// Writes the names of such code into the report of a process, if the program has written them to `/tmp/perf-PID.map`: as an object of
/// this path.
pub fn name_made_code(process: &mut Process) {
    // Of several processes together, nobody knows whose it was.
    let Some(stacks) = &mut process.stacks else {
        return;
    };
    if process.folded.is_some() {
        return;
    }
    let places = stacks.frames.iter().filter(|frame| frame.module.is_none());
    let mut offsets: Vec<u64> = places.map(|frame| frame.offset).collect();
    if offsets.is_empty() {
        return;
    }
    offsets.sort_unstable();
    offsets.dedup();
    let path = PathBuf::from(format!("/tmp/perf-{}.map", process.pid));
    // A return address stands behind its call, which may be the last instruction of a function.
    let calls: Vec<u64> = offsets
        .iter()
        .map(|offset| offset.saturating_sub(1))
        .collect();
    let Ok(found) = perf_map::read(&path, process.started_unix_ns, &calls) else {
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
    for frame in stacks
        .frames
        .iter_mut()
        .filter(|frame| frame.module.is_none())
    {
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
const MADE_WHILE_RUNNING: &str = "jit";
