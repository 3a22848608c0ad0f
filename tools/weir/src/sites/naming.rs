//! Names that are written into a report.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use weir_report::model::{CodeName, CodePlace, Module, Process, Stacks};

use super::{Naming, by_module, debug_directories, look_up, no_stacks};
use crate::failure::Failure;
use crate::symbols::{Found, Lack, Place};

/// How much was found.
#[derive(Debug, Default)]
pub struct Named {
    /// Places in the code that stacks lead through.
    pub places: u64,
    /// How many of them have the name of a function.
    pub functions: u64,
    /// How many have a line.
    pub lines: u64,
    /// The objects of which something is missing, and what.
    pub lacks: Vec<(Module, Lack)>,
}

/// Writes into the objects of these processes what their frames are, as far as files here say it. What is known of others stays.
pub fn name(processes: &mut [Process], debug_dir: &[PathBuf]) -> Result<Named, Failure> {
    let debug_directories = debug_directories(debug_dir);
    let stacks = processes.iter().filter_map(|of| of.stacks.as_ref());
    let together = Stacks::together(stacks, usize::MAX).ok_or_else(no_stacks)?;
    let mut named = Named::default();
    // Each file is read once, however many processes had it.
    let mut found: HashMap<(String, u64), CodeName> = HashMap::new();
    for (module, frames) in together.modules.iter().zip(by_module(&together)) {
        if frames.is_empty() {
            continue;
        }
        let of_files = match module.language {
            // The report has its names.
            Some(_) => Found {
                places: vec![Vec::new(); frames.len()],
                lack: None,
            },
            None => look_up(
                module,
                &together,
                &frames,
                &debug_directories,
                Naming::Whole,
            ),
        };
        if let Some(lack) = of_files.lack {
            named.lacks.push((module.clone(), lack));
        }
        let before = module.names.iter().map(|name| (name.offset, name.clone()));
        let mut names: HashMap<u64, CodeName> = before.collect();
        for (&frame, places) in frames.iter().zip(of_files.places) {
            let offset = together.frames[frame as usize].offset;
            if !places.is_empty() {
                let places = places.into_iter().map(code_place).collect();
                names.insert(offset, CodeName { offset, places });
            }
        }
        let offsets = frames
            .iter()
            .map(|&frame| together.frames[frame as usize].offset);
        for offset in offsets.collect::<HashSet<u64>>() {
            let places = names.get(&offset).map_or(&[][..], |name| &name.places);
            named.places += 1;
            named.functions += u64::from(places.iter().any(|place| place.function.is_some()));
            named.lines += u64::from(places.iter().any(|place| place.line.is_some()));
        }
        let key = key(module);
        found.extend(
            names
                .into_iter()
                .map(|(offset, name)| ((key.clone(), offset), name)),
        );
    }
    for stacks in processes.iter_mut().filter_map(|of| of.stacks.as_mut()) {
        write_into(stacks, &found);
    }
    Ok(named)
}

fn write_into(stacks: &mut Stacks, found: &HashMap<(String, u64), CodeName>) {
    for (index, module) in (0..).zip(&mut stacks.modules) {
        let key = key(module);
        let frames = stacks.frames.iter().filter(|of| of.module == Some(index));
        let mut offsets: Vec<u64> = frames.map(|frame| frame.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        let names = offsets
            .into_iter()
            .map(|offset| found.get(&(key.clone(), offset)));
        module.names = names.flatten().cloned().collect();
    }
}

/// The identity of objects, as in [`Stacks::together`].
fn key(module: &Module) -> String {
    match &module.build_id {
        Some(id) => format!("id {id}"),
        None => format!("path {}", module.path),
    }
}

pub(super) fn code_place(place: Place) -> CodePlace {
    CodePlace {
        function: place.function,
        file: place.file,
        line: place.line,
    }
}
