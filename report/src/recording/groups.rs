//! Process images by executable, so that very many take no more memory with time.

use std::collections::HashMap;

use super::together;
use crate::model::{Frame, LatencyCell, Process, Stacks, Thread, TimelinePoint};

/// How many entries there are of executables; beyond these there is one of all others.
pub const MOST_GROUPS: usize = 64;

/// Why the heap is not known of what has no entry by executable.
const SEVERAL_REASONS: &str = "there is more than one reason";

/// Which images are folded together: those of an executable whose heaps are all known, or all not known for one
/// reason. So the sum of the known ones stays exact.
type Group = (String, Option<String>);

/// An entry for each executable.
#[derive(Debug, Default)]
pub struct Groups {
    entries: HashMap<Group, Process>,
}

impl Groups {
    /// Folds these images, or entries, into the entries of their executables. Most of that work is done once for all of them.
    pub fn add(&mut self, images: Vec<Process>) {
        let mut groups: HashMap<Group, Vec<Process>> = HashMap::new();
        for process in images {
            let mut group = (process.executable.clone(), process.heap.not_known.clone());
            let is_known = self.entries.contains_key(&group) || groups.contains_key(&group);
            let process = if is_known || self.entries.len() + groups.len() < MOST_GROUPS {
                process
            } else {
                let process = of_any_executable(process);
                group = (process.executable.clone(), process.heap.not_known.clone());
                process
            };
            groups.entry(group).or_default().push(process);
        }
        for (group, mut processes) in groups {
            processes.extend(self.entries.remove(&group));
            if let Some(entry) = together(processes) {
                self.entries.insert(group, entry);
            }
        }
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = &Process> {
        self.entries.values()
    }

    /// The entries.
    pub fn into_entries(self) -> impl Iterator<Item = Process> {
        self.entries.into_values()
    }
}

fn of_any_executable(mut process: Process) -> Process {
    process.executable.clear();
    process.command.clear();
    process.title = None;
    process.provenance.clear();
    if let Some(reason) = &mut process.heap.not_known {
        SEVERAL_REASONS.clone_into(reason);
    }
    process
}

/// About how many bytes of memory an image takes.
pub fn weight(process: &Process) -> usize {
    let functions = process.functions.values().map(|function| {
        let latency = function.latency.as_ref();
        512 + latency.map_or(0, |latency| 256 + latency.histogram.len())
            + function.size_classes.len() * 24
            + function.parts.as_ref().map_or(0, |parts| {
                512 + parts.wait.histogram.len() + parts.transfer.histogram.len()
            })
    });
    let thread = |thread: &Thread| 256 + thread.functions.len() * 128;
    let files = process.files.listed.iter();
    let coroutines = process.coroutines.as_ref();
    let stacks = |of: &Stacks| {
        of.modules.len() * 256 + of.frames.len() * size_of::<Frame>() + of.sites.len() * 128
    };
    let provenance = process.provenance.iter();
    let over_time = process.latency_over_time.as_ref();
    2048 + process
        .command
        .iter()
        .map(|word| 24 + word.len())
        .sum::<usize>()
        + process.title.as_ref().map_or(0, String::len)
        + functions.sum::<usize>()
        + process.threads.iter().map(thread).sum::<usize>()
        + files
            .map(|file| 512 + file.name.len() + file.size_classes.len() * 24)
            .sum::<usize>()
        + coroutines.map_or(0, |of| of.listed.len() * 256)
        + process.stacks.as_ref().map_or(0, stacks)
        + process.timeline.points.len() * size_of::<TimelinePoint>()
        + over_time.map_or(0, |of| {
            let cells = of.activities.values();
            256 + cells.map(Vec::len).sum::<usize>() * size_of::<LatencyCell>()
        })
        + (process.slowest.len() + process.longest_waits.len()) * 128
        + provenance
            .map(|group| 128 + group.functions.len() * 24)
            .sum::<usize>()
        + process
            .missed
            .notes
            .iter()
            .map(|note| 24 + note.len())
            .sum::<usize>()
        + process.missed.untraced.len() * 256
}
