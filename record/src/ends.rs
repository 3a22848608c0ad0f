//! How the children of a process ended: the process knows that when it has waited for them. For a killed child there is no
//! other source.
//!
//! A ring of notes: any thread writes, and one reader reads. A writer never waits for the reader. If it overwrites a note that
//! the reader has not seen, the end of that child is not known.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::counter::Counter;

/// How many notes there is room for.
pub const CAPACITY: usize = 1024;

/// A note.
#[derive(Debug)]
#[repr(C)]
struct Note {
    /// Its number, counted from 1; 0 while it is written.
    number: AtomicU64,
    /// The process, and in the upper half how it ended.
    process: AtomicU64,
    /// The time-stamp counter after it had ended.
    ticks: AtomicU64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildEnd {
    /// The child.
    pub pid: u32,
    /// How it ended, as wait(2) has it.
    pub status: i32,
    /// The time-stamp counter after it had ended.
    pub ticks: u64,
}

/// The notes.
#[derive(Debug)]
#[repr(C)]
pub struct Ends {
    notes: [Note; CAPACITY],
    /// How many have been begun.
    begun: Counter,
}

impl Ends {
    /// Notes how a child ended.
    pub fn note(&self, end: ChildEnd) {
        let number = self.begun.add_shared(1);
        let note = &self.notes[place(number)];
        note.number.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        let process = u64::from(end.pid) | u64::from(end.status.cast_unsigned()) << 32;
        note.process.store(process, Ordering::Relaxed);
        note.ticks.store(end.ticks, Ordering::Relaxed);
        note.number.store(number, Ordering::Release);
    }

    /// Shows the notes after the first `seen`, and returns how many have been seen now. Leaves an incomplete note for
    /// the next time, unless this is the last time (`is_last`): its writer may have been killed.
    pub fn show(&self, seen: u64, is_last: bool, mut see: impl FnMut(ChildEnd)) -> u64 {
        let begun = self.begun.get();
        let first = seen.max(begun.saturating_sub(CAPACITY as u64));
        for number in first + 1..=begun {
            let note = &self.notes[place(number)];
            let found = note.number.load(Ordering::Acquire);
            if found != number {
                if found < number && !is_last {
                    return number - 1;
                }
                continue;
            }
            let process = note.process.load(Ordering::Relaxed);
            let ticks = note.ticks.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if note.number.load(Ordering::Relaxed) == number {
                see(ChildEnd {
                    pid: process as u32,
                    status: ((process >> 32) as u32).cast_signed(),
                    ticks,
                });
            }
        }
        begun
    }
}

fn place(number: u64) -> usize {
    (number % CAPACITY as u64) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn zeroed() -> Box<Ends> {
        // SAFETY: the notes are made of atomics, for which zeroes are valid.
        unsafe { Box::<Ends>::new_zeroed().assume_init() }
    }

    fn end(pid: u32) -> ChildEnd {
        ChildEnd {
            pid,
            status: -9,
            ticks: u64::from(pid) * 10,
        }
    }

    fn shown(ends: &Ends, seen: u64) -> (u64, Vec<ChildEnd>) {
        let mut all = Vec::new();
        (ends.show(seen, false, |end| all.push(end)), all)
    }

    #[test]
    fn a_note_is_shown_once() {
        let ends = zeroed();
        assert_eq!(shown(&ends, 0), (0, vec![]));
        ends.note(end(7));
        ends.note(end(8));
        assert_eq!(shown(&ends, 0), (2, vec![end(7), end(8)]));
        ends.note(end(9));
        assert_eq!(shown(&ends, 2), (3, vec![end(9)]));
        assert_eq!(shown(&ends, 3), (3, vec![]));
    }

    #[test]
    fn what_was_written_over_is_lost_and_nothing_else() {
        let ends = zeroed();
        for pid in 1..=CAPACITY as u32 + 5 {
            ends.note(end(pid));
        }
        let (seen, all) = shown(&ends, 0);
        assert_eq!(seen, CAPACITY as u64 + 5);
        assert_eq!(all.len(), CAPACITY);
        assert_eq!(
            (all[0], all[CAPACITY - 1]),
            (end(6), end(CAPACITY as u32 + 5))
        );
    }

    #[test]
    fn one_that_is_never_finished_holds_nobody_up_in_the_end() {
        let ends = zeroed();
        ends.note(end(1));
        ends.begun.add_shared(1);
        ends.note(end(3));
        let (seen, all) = shown(&ends, 0);
        assert_eq!((seen, all), (1, vec![end(1)]));
        let mut rest = Vec::new();
        assert_eq!(ends.show(1, true, |end| rest.push(end)), 3);
        assert_eq!(rest, [end(3)]);
    }
}
