//! The programs that the program's tree started, and which of them have no region.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use weir_record::starts::{FAILED, Start};
use weir_report::model::{Process, Untraced};
use weir_report::untraced::{BY_OPTION, hindrance, kind};

use super::life::Life;
use crate::doctor;
use crate::exit_code;

/// How many starts are kept for which no image has been seen.
const MOST: usize = 10_000;
/// With so many starts, those with an image are dropped.
const MANY: usize = 1000;

/// How many processes are kept as seen: a start is noted within moments of the image that it starts.
const MOST_SEEN: usize = 50_000;

/// A program that was started.
#[derive(Debug)]
struct Started {
    pid: u32,
    /// The process that counted its start.
    by: u32,
    flags: u32,
    ticks: u64,
    program: OsString,
}

/// What was started, and what was seen.
#[derive(Debug, Default)]
pub struct Starts {
    pending: Vec<Started>,
    /// When the latest image of each process began.
    seen: HashMap<u32, u64>,
    /// Whether processes that were seen are not known any more.
    has_forgotten_seen: bool,
    forgotten: u64,
}

impl Starts {
    /// A note of a process.
    pub fn note(&mut self, by: u32, start: &Start) {
        let (pid, ticks) = (start.pid(), start.ticks());
        if start.flags() & FAILED != 0 {
            let is_it = |other: &Started| (other.pid, other.ticks) == (pid, ticks);
            self.pending.retain(|other| !is_it(other));
            return;
        }
        if self.pending.len() >= MANY {
            let Starts { pending, seen, .. } = self;
            pending.retain(|start| !is_seen(seen, start));
        }
        if self.pending.len() >= MOST {
            self.forgotten += 1;
            return;
        }
        self.pending.push(Started {
            pid,
            by,
            flags: start.flags(),
            ticks,
            program: OsString::from_vec(start.program.bytes().collect()),
        });
    }

    /// An image began.
    pub fn see(&mut self, pid: u32, ticks: u64) {
        let latest = self.seen.entry(pid).or_default();
        *latest = ticks.max(*latest);
        if self.seen.len() > MOST_SEEN {
            self.forget_seen();
        }
    }

    /// Drops the older half of the seen processes, except those with a pending start.
    fn forget_seen(&mut self) {
        self.has_forgotten_seen = true;
        let mut moments: Vec<u64> = self.seen.values().copied().collect();
        let middle = moments.len() / 2;
        let (_, &mut median, _) = moments.select_nth_unstable(middle);
        let started: HashSet<u32> = self.pending.iter().map(|start| start.pid).collect();
        self.seen
            .retain(|pid, &mut began| began > median || started.contains(pid));
    }

    /// Whether it is known that there was neither an image of the process nor a start of a program.
    pub fn had_nothing_of(&self, pid: u32) -> bool {
        let is_known = !self.has_forgotten_seen && self.forgotten == 0;
        is_known
            && !self.seen.contains_key(&pid)
            && !self.pending.iter().any(|start| start.pid == pid)
    }

    /// Whether an image of the process was seen that began later.
    pub fn has_seen_after(&self, pid: u32, ticks: u64) -> bool {
        self.seen.get(&pid).is_some_and(|&latest| latest > ticks)
    }

    /// Whether the process was started as something that has not been seen.
    pub fn is_awaited(&self, pid: u32) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|start| start.pid == pid && !is_seen(&self.seen, start))
    }

    /// Adds to the processes the programs that they started and that were never seen. Starts without a process go to the
    /// last one.
    pub fn settle(&mut self, processes: &mut [Process]) {
        let mut reasons = HashMap::new();
        for start in std::mem::take(&mut self.pending) {
            if is_seen(&self.seen, &start) {
                continue;
            }
            let reason = match hindrance(start.flags, BY_OPTION) {
                Some(hindrance) => hindrance.into_owned(),
                None if matches!(Life::of(start.pid), Life::Running { .. })
                    && kind(start.flags).is_none() =>
                {
                    "had not made a call when the program ended".to_owned()
                }
                None => reasons
                    .entry((start.program.clone(), start.flags))
                    .or_insert_with(|| reason(&start.program, kind(start.flags)))
                    .clone(),
            };
            let untraced = Untraced {
                pid: start.pid,
                program: start.program.to_string_lossy().into_owned(),
                reason,
            };
            let starter = processes
                .iter()
                .rposition(|process| process.pid == start.by);
            if let Some(process) = processes.get_mut(starter.unwrap_or(0)) {
                process.missed.untraced.push(untraced);
            }
        }
        if let Some(process) = processes.first_mut() {
            process.missed.unlisted_starts += std::mem::take(&mut self.forgotten);
        }
    }
}

fn is_seen(seen: &HashMap<u32, u64>, start: &Started) -> bool {
    seen.get(&start.pid)
        .is_some_and(|&began| began >= start.ticks)
}

/// Why the program was not traced, from a look at its file; reads on after its name.
fn reason(program: &OsStr, kind: Option<&str>) -> String {
    let inspected = match program.is_empty() {
        true => Ok(()),
        false => doctor::inspect(program).map(drop),
    };
    let Err(refusal) = inspected else {
        return kind.unwrap_or("ended before its first call, or could not make a region (as another user, in a full file system, or at a limit on its files), or lost its LD_PRELOAD").to_owned();
    };
    if let Some(kind) = kind.filter(|_| refusal.code == exit_code::NOT_FOUND) {
        return kind.to_owned();
    }
    // The line begins with the path of the file that is to blame, which may be an interpreter's.
    let message = refusal.in_one_line();
    let own = |path: &OsStr| {
        let rest = message.strip_prefix(&*path.to_string_lossy())?;
        Some(rest.strip_prefix(' ')?.to_owned())
    };
    own(program)
        .or_else(|| {
            let (path, rest) = message.split_once(' ')?;
            let is_program = Path::new(path).file_name()?.as_bytes() == program.as_bytes();
            is_program.then(|| rest.to_owned())
        })
        .unwrap_or_else(|| format!("runs a program that cannot be traced: {message}"))
}

#[cfg(test)]
mod tests {
    use weir_record::starts::{CAPACITY, FAILED, STATIC, Starts as Notes};

    use super::*;

    fn noted(starts: &mut Starts, notes: &Notes) {
        notes.take(CAPACITY, |start| starts.note(1, start));
    }

    #[test]
    fn a_start_is_awaited_until_it_is_seen_or_failed() {
        // SAFETY: the notes are made of atomics, for which zeroes are valid.
        let notes = unsafe { Box::<Notes>::new_zeroed().assume_init() };
        let mut starts = Starts::default();
        starts.see(7, 50);
        let ticket = notes
            .note(CAPACITY, 7, 0, 100, [&b"cat"[..]])
            .expect("room");
        notes.note(CAPACITY, 8, 0, 100, [&b"ls"[..]]);
        noted(&mut starts, &notes);
        assert!(
            starts.is_awaited(7),
            "what was seen before is another image"
        );
        assert!(!notes.withdraw(ticket), "it has been taken");
        notes.note(CAPACITY, 7, FAILED, 100, []);
        starts.see(8, 100);
        noted(&mut starts, &notes);
        assert!(!starts.is_awaited(7) && !starts.is_awaited(8));
        assert!(!starts.is_awaited(9));
    }

    #[test]
    fn what_was_seen_is_forgotten_in_time() {
        let mut starts = Starts::default();
        for pid in 0..3 * MOST_SEEN as u32 {
            starts.see(pid, u64::from(pid));
            assert!(starts.seen.len() <= MOST_SEEN);
            assert!(starts.seen.contains_key(&pid));
        }
    }

    #[test]
    fn the_reason_is_the_doctor_s() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("data");
        std::fs::write(&file, "text").expect("written");
        let why = reason(file.as_os_str(), None);
        assert!(why.starts_with("cannot be executed"), "{why}");
        let gone = OsStr::new("no-such-program-anywhere");
        assert_eq!(reason(gone, kind(STATIC)), kind(STATIC).expect("a text"));
        let why = reason(gone, None);
        assert!(!why.contains("no-such-program"), "{why}");
    }
}
