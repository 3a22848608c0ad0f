//! Which process images keep an entry of their own where a report has very many: those that somebody may look for.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::{Groups, folded, notes};
use crate::activity::is_wait;
use crate::model::{EndKind, Process, Report};

/// How many images keep an entry of their own.
pub const MOST_WHOLE: usize = 100;

/// A number of which the largest are of interest.
type Number = fn(&Process) -> u64;

const NUMBERS: [Number; 9] = [
    |image| sum(image.functions.values().map(|function| function.calls)),
    |image| sum(image.functions.values().map(|function| function.errors)),
    |image| {
        let functions = image.functions.values();
        let allocate = functions.filter(|function| function.family == "alloc");
        sum(allocate.map(|function| function.requested_bytes))
    },
    |image| {
        sum(image
            .functions
            .values()
            .map(|function| function.moved_bytes))
    },
    |image| {
        let activities = image.activities.iter();
        let works = activities.filter(|(name, _)| !is_wait(name));
        sum(works.map(|(_, activity)| activity.total_ns))
    },
    |image| {
        let activities = image.activities.iter();
        let waits = activities.filter(|(name, _)| is_wait(name));
        sum(waits.map(|(_, activity)| activity.total_ns))
    },
    |image| {
        let own = image
            .heap
            .live_bytes
            .saturating_sub(image.heap.inherited_bytes);
        u64::try_from(own).unwrap_or(0)
    },
    |image| image.heap.peak_bytes,
    |image| image.duration_ns,
];

/// Folds all images but [`MOST_WHOLE`] of a report into one entry for each executable ([`Process::folded`]). What the report says of all
/// processes stays as it is, but that a note on one of those has no process id any more.
///
/// These stay: all images of the first process; and of the others in turn, until there are so many, the next that did not end well (by a
/// signal, not known how, still running, with another status than 0), the next with a note that few others have, and the next of
/// the largest in each of: calls, failed calls, bytes asked of allocation functions, moved bytes, time of I/O, time of waits, live bytes at
/// the end that were not inherited, peak of the heap, and how long it ran.
pub fn fold_what_is_not_of_interest(report: &mut Report) {
    let whole = whole(&report.processes);
    if whole.len() <= MOST_WHOLE {
        return;
    }
    // Behind those of the processes stand those of the recording.
    let of_processes = notes(&report.processes).len();
    let of_recording = report
        .missed
        .notes
        .split_off(of_processes.min(report.missed.notes.len()));
    let chosen = of_interest(&report.processes, &whole);
    let mut groups = Groups::default();
    let mut others = Vec::new();
    let mut kept = Vec::new();
    for (index, process) in std::mem::take(&mut report.processes)
        .into_iter()
        .enumerate()
    {
        match chosen.contains(&index) {
            true => kept.push(process),
            false => others.push(process),
        }
    }
    groups.add(others);
    kept.extend(groups.into_entries());
    kept.sort_by_key(|process| process.started_unix_ns);
    report.folded_processes = folded(&kept);
    report.missed.notes = notes(&kept);
    report.missed.notes.extend(of_recording);
    report.processes = kept;
}

/// The places of the entries that are of one image.
fn whole(processes: &[Process]) -> Vec<usize> {
    let processes = processes.iter().enumerate();
    let whole = processes.filter(|(_, process)| process.folded.is_none());
    whole.map(|(index, _)| index).collect()
}

/// The places of those that stay.
fn of_interest(processes: &[Process], whole: &[usize]) -> BTreeSet<usize> {
    let first = whole.first().map(|&index| processes[index].pid);
    let of_first = whole.iter().copied();
    let of_first = of_first.filter(|&index| Some(processes[index].pid) == first);
    let mut chosen: BTreeSet<usize> = of_first.take(MOST_WHOLE).collect();
    let mut lists = vec![
        by(whole, |index| badness(&processes[index])),
        rare(processes, whole),
    ];
    lists.extend(NUMBERS.map(|number| by(whole, |index| number(&processes[index]))));
    for rank in 0..whole.len() {
        for list in &lists {
            if chosen.len() >= MOST_WHOLE {
                return chosen;
            }
            chosen.extend(list.get(rank));
        }
    }
    chosen
}

/// The places with a number, that of the largest first; where it is the same, that of the image that started first.
fn by(whole: &[usize], number: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut numbers: Vec<(u64, usize)> =
        whole.iter().map(|&index| (number(index), index)).collect();
    numbers.retain(|&(number, _)| number > 0);
    numbers.sort_by_key(|&(number, _)| Reverse(number));
    numbers.into_iter().map(|(_, index)| index).collect()
}

/// How far an end is from a good one; 0 for those.
fn badness(image: &Process) -> u64 {
    match image.end.how {
        EndKind::Signaled => 4,
        EndKind::Unknown => 3,
        EndKind::Running => 2,
        EndKind::Exited if image.end.status.is_some_and(|status| status != 0) => 1,
        EndKind::Exited | EndKind::Exec => 0,
    }
}

/// The places of images with a note that not all have, that of the rarest first.
fn rare(processes: &[Process], whole: &[usize]) -> Vec<usize> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for &index in whole {
        for (note, _) in processes[index].notes() {
            *counts.entry(note).or_default() += 1;
        }
    }
    let all = whole.len() as u64;
    by(whole, |index| {
        let notes = processes[index].notes();
        let rarest = notes.filter_map(|(note, _)| counts.get(note)).min();
        rarest.map_or(0, |&count| all - count)
    })
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
