//! How processes ended that did not note it themselves: their parents noted it after they had waited for them.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use weir_record::ends::ChildEnd;
use weir_report::model::{End, EndKind, Process};

use super::ending;
use super::started::Starts;
use crate::report::ending as in_words;

/// How many unused ends are kept: most are of processes that noted themselves how they ended.
const MOST: usize = 10_000;

/// How many ways to end are told of the children of one process.
const MOST_WAYS: usize = 8;

/// The ends that parents noted.
#[derive(Debug, Default)]
pub struct Told {
    /// By the child's process id: the parent's, and the end.
    ends: HashMap<u32, (u32, ChildEnd)>,
}

impl Told {
    /// A parent noted an end.
    pub fn note(&mut self, by: u32, end: ChildEnd) {
        if self.ends.len() >= MOST {
            self.ends.clear();
        }
        self.ends.insert(end.pid, (by, end));
    }

    /// How an image ended that began at `began_ticks`, if that is known now and was not before.
    pub fn end(&mut self, end: End, pid: u32, parent: u32, began_ticks: u64) -> End {
        if !is_open(&end) {
            return end;
        }
        match self.ends.get(&pid) {
            Some(&(by, told)) if by == parent && told.ticks >= began_ticks => {
                self.ends.remove(&pid);
                ending::known(ExitStatus::from_raw(told.status))
            }
            _ => end,
        }
    }

    /// Gives images the ends that their parents have noted since.
    pub fn settle(&mut self, processes: &mut [Process]) {
        for process in processes.iter_mut().rev() {
            let end = std::mem::take(&mut process.end);
            process.end = self.end(end, process.pid, process.parent_pid, 0);
        }
    }

    /// The children of a process that were ended by a signal, and of which there was no image.
    pub fn killed_without_image(&self, parent: u32, starts: &Starts) -> u64 {
        let ends = self.without_image(starts);
        let of_parent = ends.filter(|&(by, end)| by == parent && libc::WIFSIGNALED(end.status));
        of_parent.count() as u64
    }

    /// Adds to the processes how children of theirs failed that had no image: nothing else tells of these.
    pub fn add_failed_without_image(&self, starts: &Starts, processes: &mut [Process]) {
        let mut failed: BTreeMap<u32, BTreeMap<i32, u64>> = BTreeMap::new();
        for (by, end) in self
            .without_image(starts)
            .filter(|(_, end)| end.status != 0)
        {
            *failed.entry(by).or_default().entry(end.status).or_default() += 1;
        }
        for (by, ways) in failed {
            let parent = processes.iter().rposition(|process| process.pid == by);
            let Some(parent) = processes.get_mut(parent.unwrap_or(0)) else {
                continue;
            };
            for (status, count) in ways.into_iter().take(MOST_WAYS) {
                let end = in_words(&ending::known(ExitStatus::from_raw(status)));
                let who = match count {
                    1 => "1 child process without an image of its own".to_owned(),
                    _ => format!("{count} child processes without an image of their own"),
                };
                parent.missed.notes.push(format!(
                    "{who} {end}: no call that Weir sees, or only in the memory of the parent (vfork)"
                ));
            }
        }
    }

    /// Nothing where it is not known any more of which processes there were images.
    fn without_image(&self, starts: &Starts) -> impl Iterator<Item = (u32, ChildEnd)> {
        let ends = self.ends.values().copied();
        ends.filter(|(_, end)| starts.had_nothing_of(end.pid))
    }
}

/// Whether more may be known of an end.
pub fn is_open(end: &End) -> bool {
    match end.how {
        EndKind::Unknown => true,
        EndKind::Exited => end.status.is_none(),
        EndKind::Running | EndKind::Exec | EndKind::Signaled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_without_an_image_is_told_once_for_each_way() {
        let (mut told, mut starts) = (Told::default(), Starts::default());
        let (five, killed) = (5 << 8, libc::SIGKILL);
        for (pid, status) in [(7, five), (8, five), (9, killed), (10, 0), (11, five)] {
            told.note(
                1,
                ChildEnd {
                    pid,
                    status,
                    ticks: 50,
                },
            );
        }
        starts.see(11, 20);
        let mut processes = crate::sample::report().processes;
        processes.truncate(2);
        for (process, pid) in processes.iter_mut().zip([3, 1]) {
            process.pid = pid;
            process.missed.notes.clear();
        }
        assert_eq!(told.killed_without_image(1, &starts), 1);
        assert_eq!(told.killed_without_image(3, &starts), 0);
        told.add_failed_without_image(&starts, &mut processes);
        assert_eq!(processes[0].missed.notes, [""; 0]);
        let notes = &processes[1].missed.notes;
        let of = |part: &str| notes.iter().filter(|note| note.starts_with(part)).count();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(
            of("2 child processes without an image of their own exit"),
            1,
            "{notes:?}"
        );
        assert_eq!(
            of("1 child process without an image of its own"),
            1,
            "{notes:?}"
        );
    }

    #[test]
    fn the_parent_s_word_holds_where_the_image_said_nothing() {
        let mut told = Told::default();
        let killed = ChildEnd {
            pid: 7,
            status: libc::SIGKILL,
            ticks: 50,
        };
        let end_of = |told: &mut Told, end: End, parent, began| told.end(end, 7, parent, began);
        told.note(1, killed);
        let said = ending::exited(Some(3));
        assert_eq!(end_of(&mut told, said.clone(), 1, 10), said);
        let unknown = End::default();
        assert_eq!(
            end_of(&mut told, unknown.clone(), 2, 10),
            unknown,
            "another's child"
        );
        assert_eq!(
            end_of(&mut told, unknown.clone(), 1, 60),
            unknown,
            "a later process"
        );
        let end = end_of(&mut told, unknown.clone(), 1, 10);
        assert_eq!(
            (end.how, end.signal),
            (EndKind::Signaled, Some(libc::SIGKILL))
        );
        assert_eq!(end_of(&mut told, unknown.clone(), 1, 10), unknown, "once");
    }
}
