//! Lines of blocks that show a number over time, and whose they are.

use std::cmp::Reverse;

use weir_report::model::Process;

use super::subject::{self, Subject};
use crate::text;

/// How many processes are shown: of more, those that have most.
const SHOWN: usize = 8;
/// The widest label of a process.
const LABEL: usize = 24;
/// A page of fewer columns than this has short captions.
const NARROW: usize = 72;
/// The widest line.
const LINE: usize = 100;

/// The processes that have a timeline and any of what `size` says, at most [`SHOWN`], in the order of their start; and how many more there
/// are.
pub fn shown<'a>(
    subject: &Subject<'a>,
    size: impl Fn(&Process) -> Option<u64>,
) -> (Vec<&'a Process>, usize) {
    let all = subject.processes.iter().copied();
    let has_timeline =
        |process: &&Process| process.folded.is_none() && process.timeline.points.len() > 1;
    let mut processes: Vec<(&Process, u64)> = all
        .filter(has_timeline)
        .filter_map(|process| Some((process, size(process)?)))
        .collect();
    let more = processes.len().saturating_sub(SHOWN);
    if more > 0 {
        processes.sort_by_key(|&(_, size)| Reverse(size));
        processes.truncate(SHOWN);
        processes.sort_by_key(|(process, _)| process.started_unix_ns);
    }
    let processes = processes.into_iter().map(|(process, _)| process);
    (processes.collect(), more)
}

/// Whether captions have to be short.
pub fn is_narrow(room: usize) -> bool {
    room < NARROW
}

/// What stands before the line of a process: who it is, where there are several; in short on a narrow page.
pub fn label(subject: &Subject<'_>, process: &Process, room: usize) -> String {
    let name = text::printable(subject::name(process));
    match (subject.has_many_processes(), is_narrow(room)) {
        (false, _) => String::new(),
        (true, true) => format!("{}  ", process.pid),
        (true, false) => format!("{}  ", text::cut(&format!("{} {name}", process.pid), LABEL)),
    }
}

/// How many blocks a line has, between captions of these widths.
pub fn columns(room: usize, before: usize, after: usize) -> usize {
    room.saturating_sub(before + after).clamp(1, LINE)
}

/// A block for each value, as high as its part of the highest. What is not 0 is seen.
pub fn blocks(values: &[u64]) -> String {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = values.iter().copied().max().unwrap_or(0);
    let block = |&value: &u64| match (value, highest) {
        (0, _) | (_, 0) => BLOCKS[0],
        _ => {
            let height = (value as f64 / highest as f64 * 8.0).round() as usize;
            BLOCKS[height.clamp(1, 8)]
        }
    };
    values.iter().map(block).collect()
}
