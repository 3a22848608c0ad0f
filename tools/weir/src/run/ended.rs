//! What is kept of the images that have ended: those that started first one by one, the others folded into one entry
//! for each executable, so that very many processes take no more memory with time.

use std::collections::{BTreeMap, HashMap};

use weir_report::model::{Frame, Process, Stacks, Thread};
use weir_report::recording;

use super::told::{self, Told};

/// How many images are kept one by one.
const MOST: usize = 1000;
/// How much memory these may take, by [`weight`].
const MOST_BYTES: usize = 64 << 20;
/// How many are folded at once: most of that work is done once for all of them.
const BATCH: usize = 128;
/// How many images with unknown ends wait to be folded until their parents have noted their ends.
const MOST_OPEN: usize = BATCH / 2;
/// How many entries there are of executables; beyond these there is one of all others.
const MOST_GROUPS: usize = 64;

/// Why the heap is not known of what has no entry by executable.
const SEVERAL_REASONS: &str = "there is more than one reason";

/// Which images are folded together: those of an executable whose heaps are all known, or all not known for one
/// reason. So the sum of the known ones stays exact.
type Group = (String, Option<String>);

/// The images that have ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// By when they started, and in the order of their end where that is the same.
    kept: BTreeMap<(u64, u64), Process>,
    kept_bytes: usize,
    count: u64,
    /// Those that are folded next.
    pending: Vec<Process>,
    folded: HashMap<Group, Process>,
}

impl Ended {
    /// Another one.
    pub fn add(&mut self, process: Process, told: &mut Told) {
        self.kept_bytes += weight(&process);
        self.kept
            .insert((process.started_unix_ns, self.count), process);
        self.count += 1;
        // All that are kept started before all that are not.
        while self.kept.len() > MOST || (self.kept_bytes > MOST_BYTES && self.kept.len() > 1) {
            let Some((_, latest)) = self.kept.pop_last() else {
                break;
            };
            self.kept_bytes = self.kept_bytes.saturating_sub(weight(&latest));
            self.pending.push(latest);
        }
        if self.pending.len() >= BATCH {
            self.fold_pending(told, MOST_OPEN);
        }
    }

    /// All of them, as they are now.
    pub fn snapshot(&self) -> Vec<Process> {
        let kept = self.kept.values().chain(&self.pending);
        kept.chain(self.folded.values()).cloned().collect()
    }

    /// All of them at the end, in the order of their start.
    pub fn finish(mut self, told: &mut Told) -> Vec<Process> {
        self.fold_pending(told, 0);
        let mut processes: Vec<Process> = self.kept.into_values().collect();
        told.settle(&mut processes);
        processes.extend(self.folded.into_values());
        processes
    }

    /// Folds what is pending, but for the latest of which it is not known how they ended.
    fn fold_pending(&mut self, told: &mut Told, most_open: usize) {
        told.settle(&mut self.pending);
        let mut open = 0;
        let (waiting, due): (Vec<Process>, Vec<Process>) = std::mem::take(&mut self.pending)
            .into_iter()
            .rev()
            .partition(|process| {
                let waits = open < most_open && told::is_open(&process.end);
                open += usize::from(waits);
                waits
            });
        self.pending.extend(waiting.into_iter().rev());
        let mut groups: HashMap<Group, Vec<Process>> = HashMap::new();
        for process in due {
            let mut group = (process.executable.clone(), process.heap.not_known.clone());
            let is_known = self.folded.contains_key(&group) || groups.contains_key(&group);
            let process = if is_known || self.folded.len() + groups.len() < MOST_GROUPS {
                process
            } else {
                let process = of_any_executable(process);
                group = (process.executable.clone(), process.heap.not_known.clone());
                process
            };
            groups.entry(group).or_default().push(process);
        }
        for (group, mut processes) in groups {
            processes.extend(self.folded.remove(&group));
            if let Some(entry) = recording::together(processes) {
                self.folded.insert(group, entry);
            }
        }
    }
}

fn of_any_executable(mut process: Process) -> Process {
    process.executable.clear();
    process.command.clear();
    process.provenance.clear();
    if let Some(reason) = &mut process.heap.not_known {
        SEVERAL_REASONS.clone_into(reason);
    }
    process
}

/// About how many bytes of memory an image takes.
fn weight(process: &Process) -> usize {
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
    2048 + process
        .command
        .iter()
        .map(|word| 24 + word.len())
        .sum::<usize>()
        + functions.sum::<usize>()
        + process.threads.iter().map(thread).sum::<usize>()
        + files
            .map(|file| 512 + file.name.len() + file.size_classes.len() * 24)
            .sum::<usize>()
        + coroutines.map_or(0, |of| of.listed.len() * 256)
        + process.stacks.as_ref().map_or(0, stacks)
        + process.timeline.points.len() * 56
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

#[cfg(test)]
mod tests {
    use weir_report::model::{EndKind, Function, Heap};

    use super::*;
    use crate::run::ending;

    fn image(pid: u32, executable: &str) -> Process {
        let mut image = crate::sample::report().processes[0].clone();
        image.pid = pid;
        image.executable = executable.to_owned();
        image.started_unix_ns = u64::from(pid);
        image.functions = [(
            "read".to_owned(),
            Function {
                calls: 2,
                ..Function::default()
            },
        )]
        .into();
        image.heap = Heap {
            live_blocks: 1,
            ..Heap::default()
        };
        image
    }

    #[test]
    fn those_that_started_first_are_kept_and_of_the_others_the_sums() {
        let (mut ended, mut told) = (Ended::default(), Told::default());
        let all = 3 * MOST as u32;
        // The one that started first ends last.
        for pid in (1..all).chain([0]) {
            let mut image = image(pid, if pid % 2 == 0 { "/a" } else { "/b" });
            if pid == all - 1 {
                image.end = ending::exited(Some(9));
            }
            if pid == all - 2 {
                image.heap.not_known = Some("of a reason".to_owned());
            }
            image.missed.notes = vec![format!("note {}", pid % 200)];
            ended.add(image, &mut told);
        }
        let report = recording::report(ended.finish(&mut told), ending::running(), 0);
        assert_eq!(report.processes.len(), MOST + 3);
        assert_eq!(report.processes[0].pid, 0);
        assert_eq!(report.folded_processes, u64::from(all) - MOST as u64);
        assert_eq!(report.functions["read"].calls, 2 * u64::from(all));
        assert_eq!(report.heap.live_blocks, i64::from(all) - 1);
        assert_eq!(
            report.heap.not_known.as_deref(),
            Some("of 1 of 3000 processes: of a reason")
        );
        let ends = report.processes.iter().filter_map(|of| of.folded.as_ref());
        let nines = ends
            .flat_map(|folded| &folded.ends)
            .filter(|count| count.end == ending::exited(Some(9)));
        assert_eq!(nines.map(|count| count.processes).sum::<u64>(), 1);
        let note = "15 of 3000 processes: note 7";
        assert!(
            report.missed.notes.iter().any(|told| told == note),
            "{:?}",
            report.missed.notes
        );
    }

    #[test]
    fn executables_without_number_are_some_entries() {
        let (mut ended, mut told) = (Ended::default(), Told::default());
        for pid in 0..2 * MOST as u32 {
            ended.add(image(pid, &format!("/{pid}")), &mut told);
        }
        let processes = ended.finish(&mut told);
        assert_eq!(processes.len(), MOST + MOST_GROUPS + 1);
        let all: u64 = processes.iter().map(Process::stands_for).sum();
        assert_eq!(all, 2 * MOST as u64);
    }

    #[test]
    fn what_is_large_is_folded_sooner() {
        let (mut ended, mut told) = (Ended::default(), Told::default());
        for pid in 0..100 {
            let mut image = image(pid, "/a");
            image.command = vec!["x".repeat(4 << 20)];
            ended.add(image, &mut told);
        }
        assert!(ended.finish(&mut told).len() < 20);
    }

    #[test]
    fn an_end_that_is_not_known_waits_for_the_parent_s_word() {
        let (mut ended, mut told) = (Ended::default(), Told::default());
        for pid in 0..MOST as u32 + 300 {
            let mut image = image(pid, "/a");
            image.parent_pid = 1;
            image.end = ending::exited(Some(0));
            if pid == 1100 {
                image.end = weir_report::model::End::default();
            }
            ended.add(image, &mut told);
        }
        told.note(
            1,
            weir_record::ends::ChildEnd {
                pid: 1100,
                status: libc::SIGKILL,
                ticks: 5,
            },
        );
        let processes = ended.finish(&mut told);
        let folded = processes.last().and_then(|of| of.folded.as_ref());
        let ends = &folded.expect("folded").ends;
        let kinds: Vec<_> = ends
            .iter()
            .map(|count| (count.end.how, count.processes))
            .collect();
        assert_eq!(kinds, [(EndKind::Exited, 299), (EndKind::Signaled, 1)]);
    }
}
