//! How processes ended that did not note it themselves: their parents noted it after they had waited for them.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use weir_record::ends::ChildEnd;
use weir_report::model::{End, EndKind, Process};

use super::ending;

/// How many unused ends are kept: most are of processes that noted themselves how they ended.
const MOST: usize = 10_000;

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
