//! What is kept of the images that have ended: those that started first one by one, the others folded into one entry
//! for each executable, so that very many processes take no more memory with time.

use std::collections::BTreeMap;

use weir_report::model::Process;
use weir_report::recording::{Groups, weight};

use super::identity::Identity;
use super::noted_ends::{self, NotedEnds};

/// How many images are kept one by one.
const MOST: usize = 1000;
/// How much memory these may take, by [`weight`].
const MOST_BYTES: usize = 64 << 20;
/// How many are folded at once: most of that work is done once for all of them.
const BATCH: usize = 128;
/// How many images with unknown ends wait to be folded until their parents have noted their ends.
const MOST_OPEN: usize = BATCH / 2;
/// The images that have ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// By when they started, and in the order of their end where that is the same.
    kept: BTreeMap<(u64, u64), (Process, Identity)>,
    kept_bytes: usize,
    count: u64,
    /// Those that are folded next.
    pending: Vec<(Process, Identity)>,
    folded: Groups,
}

impl Ended {
    /// Another one.
    pub fn add(&mut self, process: Process, identity: Identity, noted: &mut NotedEnds) {
        self.kept_bytes += weight(&process);
        self.kept
            .insert((process.started_unix_ns, self.count), (process, identity));
        self.count += 1;
        // All that are kept started before all that are not.
        while self.kept.len() > MOST || (self.kept_bytes > MOST_BYTES && self.kept.len() > 1) {
            let Some((_, latest)) = self.kept.pop_last() else {
                break;
            };
            self.kept_bytes = self.kept_bytes.saturating_sub(weight(&latest.0));
            self.pending.push(latest);
        }
        if self.pending.len() >= BATCH {
            self.fold_pending(noted, MOST_OPEN);
        }
    }

    /// All of them, as they are now.
    pub fn snapshot(&self) -> Vec<Process> {
        let kept = self.kept.values().chain(&self.pending);
        let kept = kept.map(|(process, _)| process);
        kept.chain(self.folded.entries()).cloned().collect()
    }

    /// All of them at the end, in the order of their start.
    pub fn finish(mut self, noted: &mut NotedEnds) -> Vec<Process> {
        self.fold_pending(noted, 0);
        let mut kept: Vec<_> = self.kept.into_values().collect();
        noted.settle(&mut kept);
        let mut processes: Vec<Process> = kept.into_iter().map(|(process, _)| process).collect();
        processes.extend(self.folded.into_entries());
        processes
    }

    /// Folds what is pending, but for the latest of which it is not known how they ended.
    fn fold_pending(&mut self, noted: &mut NotedEnds, most_open: usize) {
        noted.settle(&mut self.pending);
        let mut open = 0;
        let (waiting, due): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
            .into_iter()
            .rev()
            .partition(|(process, _)| {
                let waits = open < most_open && noted_ends::is_open(&process.end);
                open += usize::from(waits);
                waits
            });
        self.pending.extend(waiting.into_iter().rev());
        self.folded
            .add(due.into_iter().map(|(process, _)| process).collect());
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{EndKind, Function, Heap};
    use weir_report::recording::{self, MOST_GROUPS};

    use super::*;
    use crate::run::ending;
    use crate::run::namespaces::Namespace;

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

    fn add(ended: &mut Ended, image: Process, noted: &mut NotedEnds) {
        let identity = Identity {
            namespace: Namespace::Here,
            ..Identity::unknown(image.pid, image.parent_pid)
        };
        ended.add(image, identity, noted);
    }

    #[test]
    fn those_that_started_first_are_kept_and_of_the_others_the_sums() {
        let (mut ended, mut noted) = (Ended::default(), NotedEnds::default());
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
            add(&mut ended, image, &mut noted);
        }
        let report = recording::report(ended.finish(&mut noted), ending::running(), 0);
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
            report.missed.notes.iter().any(|other| other == note),
            "{:?}",
            report.missed.notes
        );
    }

    #[test]
    fn executables_without_number_are_some_entries() {
        let (mut ended, mut noted) = (Ended::default(), NotedEnds::default());
        for pid in 0..2 * MOST as u32 {
            add(&mut ended, image(pid, &format!("/{pid}")), &mut noted);
        }
        let processes = ended.finish(&mut noted);
        assert_eq!(processes.len(), MOST + MOST_GROUPS + 1);
        let all: u64 = processes.iter().map(Process::stands_for).sum();
        assert_eq!(all, 2 * MOST as u64);
    }

    #[test]
    fn what_is_large_is_folded_sooner() {
        let (mut ended, mut noted) = (Ended::default(), NotedEnds::default());
        for pid in 0..100 {
            let mut image = image(pid, "/a");
            image.command = vec!["x".repeat(4 << 20)];
            add(&mut ended, image, &mut noted);
        }
        assert!(ended.finish(&mut noted).len() < 20);
    }

    #[test]
    fn an_end_that_is_not_known_waits_for_the_parent_s_word() {
        let (mut ended, mut noted) = (Ended::default(), NotedEnds::default());
        for pid in 0..MOST as u32 + 300 {
            let mut image = image(pid, "/a");
            image.parent_pid = 1;
            image.end = ending::exited(Some(0));
            if pid == 1100 {
                image.end = weir_report::model::End::default();
            }
            add(&mut ended, image, &mut noted);
        }
        noted.note(
            Namespace::Here,
            1,
            weir_record::ends::ChildEnd {
                pid: 1100,
                status: libc::SIGKILL,
                ticks: 5,
            },
        );
        let processes = ended.finish(&mut noted);
        let folded = processes.last().and_then(|of| of.folded.as_ref());
        let ends = &folded.expect("folded").ends;
        let kinds: Vec<_> = ends
            .iter()
            .map(|count| (count.end.how, count.processes))
            .collect();
        assert_eq!(kinds, [(EndKind::Exited, 299), (EndKind::Signaled, 1)]);
    }
}
