//! The process of an image, as weir sees it: in a pid namespace of its own it has another id here than there (pid_namespaces(7)).
//!
//! Of a region that was handed over, the kernel says which process sent it. For one with a name, a process is searched that has the
//! image's id in its own namespace, and the region's file mapped.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use weir_record::region::{Header, Phase};

use super::life::{self, Life};
use super::namespaces::{self, Namespace, is_proc_ours};
use super::usage::FileId;

/// How much of an executable's path is compared; a region has less room than a path can need.
const MAX_COMPARED: usize = 1000;
/// More than /proc/PID/status has up to its line `NSpid`, with any names and groups.
const MOST_OF_STATUS: u64 = 1 << 20;

/// What goes by between two searches, by how long one took: less than 18 µs were measured for each process of the machine.
const APART: u32 = 20;

/// A process that can be seen, or could be before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id in weir's pid namespace.
    pub pid: u32,
    /// When it started, as in [`Life`]; none if it had ended before it was looked at.
    pub since: Option<u64>,
    /// Its own pid namespace.
    pub namespace: Namespace,
}

impl Seen {
    /// The process of the image with this header, whose region came from this process, if the kernel says so. None where
    /// nothing is known of it: it has ended, or has an id here that is not known.
    pub fn of(header: &Header, sender: Option<u32>, file: FileId) -> Option<Seen> {
        let own = header.pid.load(Ordering::Relaxed);
        let of = Candidate { header, own };
        match Namespace::noted(header) {
            Some(Namespace::Here) => Some(of.is(own, Namespace::Here)),
            _ if !is_proc_ours() => None,
            // It has made the region itself, and so it has sent it.
            Some(namespace) => sender.map(|pid| of.is(pid, namespace)),
            None => sender
                .and_then(|pid| of.sent_by(pid))
                .or_else(|| of.guessed(file)),
        }
    }

    /// Whether the process of the image with this header runs, whatever program it executes now.
    pub fn is_there(header: &Header) -> bool {
        let own = header.pid.load(Ordering::Relaxed);
        let of = Candidate { header, own };
        let runs = |pid| match Life::of(pid) {
            Life::Running { since } => of.is_older(pid, since),
            Life::Ended { .. } | Life::Absent => false,
        };
        match Namespace::noted(header) {
            Some(Namespace::Here) => runs(own),
            _ if !is_proc_ours() => false,
            Some(namespace) => Namespaced::now().0.iter().any(|ids| {
                let is_it = ids.own == own && Namespace::shown(ids.here, own) == namespace;
                is_it && runs(ids.here)
            }),
            None => own_number(own) == Some(own) && runs(own),
        }
    }

    /// The process of the image with this header, with this file for its region, among those in other pid namespaces.
    pub fn among(namespaced: &Namespaced, header: &Header, file: FileId) -> Option<Seen> {
        let own = header.pid.load(Ordering::Relaxed);
        let here = namespaced.find(own, file)?;
        Candidate { header, own }.sent_by(here)
    }
}

/// An image whose process is looked for: its header, and its id in its own namespace.
struct Candidate<'a> {
    header: &'a Header,
    own: u32,
}

impl Candidate<'_> {
    /// It has this id here, or had it: by now it may be another's.
    fn is(&self, pid: u32, namespace: Namespace) -> Seen {
        let since = Life::of(pid).since();
        Seen {
            pid,
            since: since.filter(|&since| self.is_older(pid, since)),
            namespace,
        }
    }

    /// Whether a process that has this id here, and started then, is not younger than the image.
    fn is_older(&self, pid: u32, since: u64) -> bool {
        let shift_ns = namespaces::clock_shift_ns(self.header, Some(pid));
        let started = self.header.started.get().shifted(shift_ns);
        since <= life::ticks_at(started.monotonic_ns)
    }

    /// The kernel gave the id of the process that sent the region. That may be another process: a child of vfork makes the region of its parent, if
    /// it makes the first call. And it may be the id of yet another by now.
    fn sent_by(&self, pid: u32) -> Option<Seen> {
        let is_it = match Life::of(pid).since() {
            Some(since) => self.is_itself(pid) && self.is_older(pid, since),
            // /proc can hide the processes of others (hidepid).
            None => pid == self.own && is_gone(pid),
        };
        is_it.then(|| self.is(pid, Namespace::shown(pid, self.own)))
    }

    /// Whether the process with this id here has the image's id in its own namespace.
    fn is_itself(&self, pid: u32) -> bool {
        pid == self.own || own_number(pid) == Some(self.own)
    }

    /// The process has its own id here, unless that is another's.
    fn guessed(&self, file: FileId) -> Option<Seen> {
        let &Candidate { header, own } = self;
        let mut text = [0; life::MOST_BYTES];
        let stat = life::read(own, &mut text)?;
        let life = stat.life()?;
        let is_older = self.is_older(own, life.since()?);
        // Not every file system gives the same number of the file in both places; and in the middle of an exec, or after its end, a
        // process does not have it mapped any more.
        let is_likely = || {
            let is_child = stat.number(4) == Some(header.parent_pid.load(Ordering::Relaxed));
            let is_over = matches!(life, Life::Ended { .. }) || header.phase() == Phase::Replacing;
            is_child && (is_over || runs(own, header))
        };
        // Weir has it mapped, too.
        let has_it = || own != process::id() && file.is_mapped_by(own) == Some(true);
        let is_it = is_older && own_number(own).unwrap_or(own) == own && (has_it() || is_likely());
        is_it.then(|| self.is(own, Namespace::shown(own, own)))
    }
}

/// Whether a process runs the program of an image.
fn runs(pid: u32, header: &Header) -> bool {
    let runs = fs::read_link(format!("/proc/{pid}/exe"));
    runs.is_ok_and(|runs| {
        let runs = runs.as_os_str().as_bytes().iter().copied();
        let recorded = header.executable.bytes();
        runs.take(MAX_COMPARED).eq(recorded.take(MAX_COMPARED))
    })
}

/// The processes of other pid namespaces, at one moment.
#[derive(Debug)]
pub struct Namespaced(Vec<Ids>);

/// Those of a process.
#[derive(Debug, PartialEq, Eq)]
struct Ids {
    here: u32,
    own: u32,
}

impl Namespaced {
    /// Looks at all processes of the machine.
    pub fn now() -> Namespaced {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let of = |here| {
            let numbers = numbers(here)?;
            let [_, .., own] = numbers[..] else {
                return None;
            };
            Some(Ids { here, own })
        };
        Namespaced(ids.filter_map(of).collect())
    }

    /// The one that has this id in its own namespace and this file mapped, by its id here.
    pub fn find(&self, own: u32, file: FileId) -> Option<u32> {
        let of_number = self.0.iter().filter(|process| process.own == own);
        let mut here = of_number.map(|process| process.here);
        here.find(|&pid| file.is_mapped_by(pid) == Some(true))
    }
}

/// Searches the processes of other pid namespaces, not too often.
#[derive(Debug, Default)]
pub struct Search {
    /// When the next one may be.
    due: Option<Instant>,
}

impl Search {
    /// What there is now, if a search is due, or `must_be`.
    pub fn now(&mut self, must_be: bool) -> Option<Namespaced> {
        let began = Instant::now();
        if !must_be && self.due.is_some_and(|due| began < due) {
            return None;
        }
        let found = Namespaced::now();
        self.due = Some(Instant::now() + began.elapsed() * APART);
        Some(found)
    }
}

/// The id of a process in its own pid namespace. None where the kernel does not say.
fn own_number(pid: u32) -> Option<u32> {
    numbers(pid)?.pop()
}

/// The ids of a process from weir's pid namespace to its own (proc_pid_status(5)). None where the kernel does not say.
fn numbers(pid: u32) -> Option<Vec<u32>> {
    let mut status = Vec::new();
    let file = File::open(format!("/proc/{pid}/status")).ok()?;
    file.take(MOST_OF_STATUS).read_to_end(&mut status).ok()?;
    numbers_in(&status)
}

/// Those of the line `NSpid`.
fn numbers_in(status: &[u8]) -> Option<Vec<u32>> {
    let mut lines = status.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"NSpid:"))?;
    let words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.map(|word| word.parse().ok()).collect()
}

/// Whether there is no process with this id here, be it that /proc would not show it.
fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_last_id_is_that_of_its_own_namespace() {
        let of = |status: &str| numbers_in(status.as_bytes());
        let expected = Some(vec![4711]);
        assert_eq!(of("Name:\ta\nNSpid:\t4711\nNSpgid:\t1\n"), expected);
        let expected = Some(vec![4711, 12, 3]);
        assert_eq!(of("NSpid:\t4711\t12\t3\nNSpgid:\t1\t1\t9\n"), expected);
        assert_eq!(of("NSpid:\n"), Some(vec![]));
        for other in ["", "Pid:\t1\n", "NSpid:\tx\n"] {
            assert_eq!(of(other), None, "{other:?}");
        }
        let this = process::id();
        assert_eq!(own_number(this), Some(this));
        assert_eq!(own_number(u32::MAX), None);
    }

    #[test]
    fn a_process_that_was_waited_for_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        assert!(!is_gone(child.id()));
        child.wait().unwrap();
        assert!(is_gone(child.id()));
        assert!(!is_gone(process::id()));
        assert!(!is_gone(0));
    }
}
