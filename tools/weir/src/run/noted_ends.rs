//! How processes ended that did not note it themselves: their parents noted it after they had waited for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use weir_record::ends::ChildEnd;
use weir_report::model::{End, EndKind, Process};

use super::ending;
use super::identity::Identity;
use super::namespaces::Namespace;
use super::started::Starts;
use crate::report::ending as in_words;

/// How many unused ends are kept: most are of processes that noted themselves how they ended.
const MOST: usize = 10_000;

/// Of how many images it is known when they began: an end is noted within moments, or with the end of the parent.
const MOST_BEGUN: usize = 50_000;

/// How many ways to end a process has notes of, for its children of one process.
const MOST_WAYS: usize = 8;

/// No process's id: it does not matter whose child it was.
const ANYBODY: u32 = u32::MAX;

/// An end that a parent noted.
#[derive(Clone, Copy, Debug)]
struct Noted {
    /// The parent's pid namespace; the ids are those there.
    namespace: Namespace,
    by: u32,
    end: ChildEnd,
}

/// The ends that parents noted.
#[derive(Debug, Default)]
pub struct NotedEnds {
    /// By the child's process id, in the parent's namespace.
    ends: HashMap<u32, Vec<Noted>>,
    count: usize,
    /// When images began, by their namespaces and process ids: an end that was noted later is of the latest of them.
    begun: BTreeSet<(Namespace, u32, u64)>,
}

impl NotedEnds {
    /// A parent with this id in this namespace noted an end.
    pub fn note(&mut self, namespace: Namespace, by: u32, end: ChildEnd) {
        if self.count >= MOST {
            self.ends.clear();
            self.count = 0;
        }
        let noted = Noted { namespace, by, end };
        self.ends.entry(end.pid).or_default().push(noted);
        self.count += 1;
    }

    /// There is an image of this process.
    pub fn see(&mut self, of: &Identity) {
        if self.begun.len() >= MOST_BEGUN {
            self.begun.clear();
        }
        self.begun.insert((of.namespace, of.pid, of.began_ticks));
        if let Some(here) = of.here {
            self.begun.insert((Namespace::Here, here, of.began_ticks));
        }
    }

    /// Weir itself has waited for a process that was another's child.
    pub fn note_orphan(&mut self, end: ChildEnd) {
        self.note(Namespace::Here, ANYBODY, end);
    }

    /// How an image ended, if that is known now and was not before.
    pub fn end(&mut self, end: End, of: &Identity) -> End {
        if !is_open(&end) {
            return end;
        }
        self.take(of).map_or(end, |noted| known(&noted))
    }

    /// Whether the end of an image's process was noted.
    pub fn is_ended(&self, of: &Identity) -> bool {
        self.find(of).is_some()
    }

    /// Takes what was noted of the end of an image's process.
    pub fn take(&mut self, of: &Identity) -> Option<ChildEnd> {
        let (pid, place) = self.find(of)?;
        let of_pid = self.ends.get_mut(&pid)?;
        let noted = of_pid.remove(place);
        if of_pid.is_empty() {
            self.ends.remove(&pid);
        }
        self.count -= 1;
        Some(noted.end)
    }

    /// What was noted of the end of an image's process: for which id, and the how manyth.
    fn find(&self, of: &Identity) -> Option<(u32, usize)> {
        let own = self.find_fit(of.namespace, of.pid, of.began_ticks, |noted| {
            noted.is_of(of)
        });
        own.or_else(|| {
            // Its parent may be here, and it the first of another namespace.
            let here = of.here.filter(|_| of.namespace != Namespace::Here)?;
            let is_here = |noted: &Noted| match noted.namespace {
                Namespace::Here => Fit::Surely,
                _ => Fit::No,
            };
            self.find_fit(Namespace::Here, here, of.began_ticks, is_here)
        })
    }

    /// The first note of this process that fits; of those that may, one that is the only one.
    fn find_fit(
        &self,
        namespace: Namespace,
        pid: u32,
        began_ticks: u64,
        fits: impl Fn(&Noted) -> Fit,
    ) -> Option<(u32, usize)> {
        let mut later = self
            .begun
            .range((namespace, pid, began_ticks.saturating_add(1))..=(namespace, pid, u64::MAX));
        let next = later.next().map_or(u64::MAX, |(.., ticks)| *ticks);
        let of_pid = self.ends.get(&pid)?.iter().enumerate();
        // Before the next process has the id, this one has been waited for.
        let in_time = of_pid.filter(|(_, noted)| (began_ticks..next).contains(&noted.end.ticks));
        let fit: Vec<(usize, u64, Fit)> = in_time
            .map(|(place, noted)| (place, noted.end.ticks, fits(noted)))
            .collect();
        let of = |wanted| fit.iter().filter(move |(.., fit)| *fit == wanted);
        let first = of(Fit::Surely).min_by_key(|(_, ticks, _)| *ticks);
        let found = first.or_else(|| {
            let mut possible = of(Fit::Maybe);
            possible.next().filter(|_| possible.next().is_none())
        });
        found.map(|&(place, ..)| (pid, place))
    }

    /// Gives images the ends that their parents have noted since.
    pub fn settle(&mut self, processes: &mut [(Process, Identity)]) {
        for (process, identity) in processes.iter_mut().rev() {
            let end = std::mem::take(&mut process.end);
            process.end = self.end(end, identity);
        }
    }

    /// The children of a process that were ended by a signal, and of which there was no image.
    pub fn killed_without_image(&self, parent: &Identity, starts: &Starts) -> u64 {
        let ends = self.without_image(starts);
        let of_parent = ends.filter(|noted| {
            let is_by_it = noted.by == parent.pid && noted.namespace == parent.namespace;
            is_by_it && libc::WIFSIGNALED(noted.end.status)
        });
        of_parent.count() as u64
    }

    /// Adds to the processes how children of theirs failed that had no image: nothing else reports these.
    pub fn add_failed_without_image(&self, starts: &Starts, processes: &mut [Process]) {
        let mut failed: BTreeMap<u32, BTreeMap<i32, u64>> = BTreeMap::new();
        for Noted { by, end, .. } in self.without_image(starts) {
            if end.status != 0 {
                *failed
                    .entry(*by)
                    .or_default()
                    .entry(end.status)
                    .or_default() += 1;
            }
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
                    "{who} {end}: no call that Weir sees, or its calls are counted here (vfork, or no region of its own)"
                ));
            }
        }
    }

    /// Nothing where it is not known any more of which processes there were images.
    fn without_image(&self, starts: &Starts) -> impl Iterator<Item = &Noted> {
        let ends = self.ends.values().flatten();
        ends.filter(|noted| starts.had_nothing_of(noted.end.pid))
    }
}

/// Whether a note is of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Surely,
    /// As far as their namespaces are known.
    Maybe,
    No,
}

impl Noted {
    /// Whether it is of the process with this identity, whose id it has.
    fn is_of(&self, of: &Identity) -> Fit {
        match (self.namespace, of.namespace) {
            // Another has waited for it, as its parent is gone.
            (noted, own) if self.by != of.parent && self.by != ANYBODY => {
                if noted == own && noted.is_known() {
                    Fit::Surely
                } else {
                    Fit::No
                }
            }
            (Namespace::Here, Namespace::Here) => Fit::Surely,
            (Namespace::Other(noted), Namespace::Other(own)) if noted == own => Fit::Surely,
            (Namespace::Here, Namespace::Other(_) | Namespace::Elsewhere)
            | (Namespace::Other(_) | Namespace::Elsewhere, Namespace::Here)
            | (Namespace::Other(_), Namespace::Other(_)) => Fit::No,
            _ => Fit::Maybe,
        }
    }
}

/// The end that was noted.
pub fn known(noted: &ChildEnd) -> End {
    ending::known(ExitStatus::from_raw(noted.status))
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
    use std::num::NonZeroU32;

    use super::*;

    fn here(pid: u32, parent: u32) -> Identity {
        Identity {
            namespace: Namespace::Here,
            here: Some(pid),
            ..Identity::unknown(pid, parent)
        }
    }

    /// Two children 7 of two processes 1, each in a namespace of its own.
    #[test]
    fn equal_ids_in_two_namespaces_are_two_processes() {
        use Namespace::{Elsewhere, Here, Unknown};
        let numbered = |number| Namespace::Other(NonZeroU32::new(number).expect("not 0"));
        let [third, fourth, fifth] = [3, 4, 5].map(numbered);
        let note = |status| ChildEnd {
            pid: 7,
            status,
            ticks: 50,
        };
        let end_of = |notes: &[Namespace], namespace, here| {
            let mut noted = NotedEnds::default();
            for (status, by) in (1..).zip(notes) {
                noted.note(*by, 1, note(status));
            }
            let of = Identity {
                namespace,
                here,
                ..Identity::unknown(7, 1)
            };
            noted.end(End::default(), &of).signal
        };
        for (notes, namespace, signal) in [
            (&[third, fourth][..], fourth, Some(2)),
            (&[third, fourth], fifth, None),
            (&[third, Here], Here, Some(2)),
            // It is not known which of two it is.
            (&[third, fourth], Elsewhere, None),
            (&[third, Here], Elsewhere, Some(1)),
            (&[third, Here], Unknown, None),
            (&[Here], Unknown, Some(1)),
            (&[Here], third, None),
            (&[Unknown], third, Some(1)),
            (&[Unknown, Unknown], third, None),
            (&[Unknown, third], third, Some(2)),
            (&[Elsewhere], Here, None),
            (&[Elsewhere, Elsewhere], Elsewhere, None),
        ] {
            let signal_told = end_of(notes, namespace, None);
            assert_eq!(signal_told, signal, "{notes:?} {namespace:?}");
        }
        // The first process of a namespace has its parent here, which has another id of it.
        let mut noted = NotedEnds::default();
        noted.note(Here, 5, note(libc::SIGKILL));
        let first = |here| Identity {
            namespace: third,
            here: Some(here),
            ..Identity::unknown(1, 0)
        };
        let open = || End::default();
        assert_eq!(noted.end(open(), &first(8)).signal, None);
        assert_eq!(noted.end(open(), &first(7)).signal, Some(libc::SIGKILL));
        assert_eq!(noted.count, 0);
    }

    #[test]
    fn what_failed_without_an_image_is_reported_once_for_each_way() {
        let (mut noted, mut starts) = (NotedEnds::default(), Starts::default());
        let (five, killed) = (5 << 8, libc::SIGKILL);
        for (pid, status) in [(7, five), (8, five), (9, killed), (10, 0), (11, five)] {
            noted.note(
                Namespace::Here,
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
        assert_eq!(noted.killed_without_image(&here(1, 0), &starts), 1);
        assert_eq!(noted.killed_without_image(&here(3, 0), &starts), 0);
        let elsewhere = Identity {
            namespace: Namespace::Elsewhere,
            ..here(1, 0)
        };
        assert_eq!(noted.killed_without_image(&elsewhere, &starts), 0);
        noted.add_failed_without_image(&starts, &mut processes);
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
        let mut noted = NotedEnds::default();
        let killed = ChildEnd {
            pid: 7,
            status: libc::SIGKILL,
            ticks: 50,
        };
        let end_of = |noted: &mut NotedEnds, end: End, parent, began_ticks| {
            let of = Identity {
                began_ticks,
                ..here(7, parent)
            };
            noted.end(end, &of)
        };
        noted.note(Namespace::Here, 1, killed);
        let said = ending::exited(Some(3));
        assert_eq!(end_of(&mut noted, said.clone(), 1, 10), said);
        let unknown = End::default();
        assert_eq!(
            end_of(&mut noted, unknown.clone(), 1, 60),
            unknown,
            "a later process"
        );
        let end = end_of(&mut noted, unknown.clone(), 1, 10);
        assert_eq!(
            (end.how, end.signal),
            (EndKind::Signaled, Some(libc::SIGKILL))
        );
        assert_eq!(end_of(&mut noted, unknown.clone(), 1, 10), unknown, "once");
    }

    #[test]
    fn another_than_the_parent_may_wait_for_the_latest_process_with_the_id() {
        let end = |namespace, later: Option<u64>| {
            let mut noted = NotedEnds::default();
            let note = ChildEnd {
                pid: 7,
                status: libc::SIGKILL,
                ticks: 50,
            };
            noted.note(namespace, 3, note);
            let of = Identity {
                began_ticks: 10,
                ..here(7, 1)
            };
            noted.see(&of);
            if let Some(began_ticks) = later {
                noted.see(&Identity { began_ticks, ..of });
            }
            noted.end(End::default(), &of).signal
        };
        assert_eq!(end(Namespace::Here, None), Some(libc::SIGKILL));
        assert_eq!(end(Namespace::Here, Some(20)), None);
        assert_eq!(end(Namespace::Unknown, None), None);
    }
}
