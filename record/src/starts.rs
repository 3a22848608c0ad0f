//! The programs that are started, so that those without a region are known.
//!
//! A process that starts a program (by exec, also in a child of vfork, or by posix_spawn) notes that in its
//! region; the reader removes the notes. There is room for the starts between two visits of the
//! reader. If there is no room, the caller counts the start.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::text::Text;

/// How many notes there is room for.
pub const CAPACITY: usize = 128;

/// How much of a program's path there is room for.
pub const PROGRAM_BYTES: usize = 232;

/// The process id of a note whose process does not know its id. In a sandbox it may not ask for it.
pub const UNKNOWN_PID: u32 = 0;

/// The environment that the program was given does not have our library in LD_PRELOAD.
pub const NOT_PRELOADED: u32 = 1;
/// The directory of the recording cannot be used from where the program was started: another user, another root.
pub const OUT_OF_REACH: u32 = 2;
/// The program could not be started: the note before this one, of the same process, does not hold.
pub const FAILED: u32 = 4;
/// The program is for another machine or word size.
pub const OTHER_MACHINE: u32 = 8;
/// The dynamic linker of another C library starts the program.
pub const OTHER_LIBC: u32 = 16;
/// No dynamic linker starts the program.
pub const STATIC: u32 = 32;
/// The library cannot be read from where the program was started.
pub const LIBRARY_OUT_OF_REACH: u32 = 64;
/// AddressSanitizer ends the program if another library is loaded before it.
pub const MUST_BE_FIRST: u32 = 128;
/// A filter of system calls holds in the program too, and could end it for those of the library's start.
pub const FILTERED: u32 = 256;
/// With [`NOT_PRELOADED`]: the environment has an LD_PRELOAD, with other libraries.
pub const OTHERS_PRELOADED: u32 = 512;

// A state is one of these, and above them a number that is another for every note.
const FREE: u32 = 0;
/// It is being written or read.
const BUSY: u32 = 1;
const WRITTEN: u32 = 2;
const STATES: u32 = 3;
const NEXT: u32 = STATES + 1;

/// A note.
#[derive(Debug)]
#[repr(C)]
pub struct Start {
    state: AtomicU32,
    pid: AtomicU32,
    flags: AtomicU32,
    /// The time-stamp counter before the start.
    ticks: AtomicU64,
    /// The program, as far as it fits: a path, or a name that is looked for in PATH; nothing where it is not known.
    pub program: Text<PROGRAM_BYTES>,
}

impl Start {
    /// The process that the program runs in; or [`UNKNOWN_PID`].
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// What is known of the program, as bits: [`NOT_PRELOADED`] and those after it.
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// The time-stamp counter before the start.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

/// Which note is meant.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    index: usize,
    state: u32,
}

/// The notes.
#[derive(Debug)]
#[repr(C)]
pub struct Starts {
    notes: [Start; CAPACITY],
}

impl Starts {
    /// Notes the start of a program, the parts of whose path are these, in one of the first `room` notes. None where all of
    /// them are taken.
    pub fn note<'a>(
        &self,
        room: usize,
        pid: u32,
        flags: u32,
        ticks: u64,
        program: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Ticket> {
        let (index, state) = self.claim(room)?;
        let note = &self.notes[index];
        note.pid.store(pid, Ordering::Relaxed);
        note.flags.store(flags, Ordering::Relaxed);
        note.ticks.store(ticks, Ordering::Relaxed);
        note.program.set_parts(program);
        let state = state & !STATES | WRITTEN;
        note.state.store(state, Ordering::Release);
        Some(Ticket { index, state })
    }

    fn claim(&self, room: usize) -> Option<(usize, u32)> {
        let notes = self.notes.iter().take(room);
        notes.enumerate().find_map(|(index, note)| {
            let free = note.state.load(Ordering::Relaxed);
            if free & STATES != FREE {
                return None;
            }
            let state = free.wrapping_add(NEXT) | BUSY;
            note.state
                .compare_exchange(free, state, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
                .then_some((index, state))
        })
    }

    /// The program could not be started. False where the note has been taken: then one that says [`FAILED`] must follow.
    pub fn withdraw(&self, ticket: Ticket) -> bool {
        let Ticket { index, state } = ticket;
        self.notes.get(index).is_some_and(|note| {
            note.state
                .compare_exchange(state, state & !STATES, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// Shows every one of the first `room` notes to `see`, and frees them; for the one reader.
    pub fn take(&self, room: usize, mut see: impl FnMut(&Start)) {
        for note in self.notes.iter().take(room) {
            let state = note.state.load(Ordering::Relaxed);
            if state & STATES != WRITTEN {
                continue;
            }
            // It cannot be withdrawn any more.
            let free = state & !STATES;
            let mine = free | BUSY;
            let taken =
                note.state
                    .compare_exchange(state, mine, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                see(note);
                note.state.store(free, Ordering::Release);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn zeroed() -> Box<Starts> {
        // SAFETY: the notes are made of atomics, for which zeroes are valid.
        unsafe { Box::<Starts>::new_zeroed().assume_init() }
    }

    fn taken(starts: &Starts) -> Vec<(u32, u32, Vec<u8>)> {
        let mut all = Vec::new();
        starts.take(CAPACITY, |start| {
            let program = start.program.bytes().collect();
            all.push((start.pid(), start.flags(), program));
        });
        all
    }

    #[test]
    fn a_note_is_seen_once() {
        let starts = zeroed();
        starts.note(1, 7, NOT_PRELOADED, 99, [&b"/bin"[..], b"/ls"]);
        starts.take(1, |start| assert_eq!(start.ticks(), 99));
        starts.note(1, 8, 0, 100, [&b"cat"[..]]);
        assert_eq!(taken(&starts), [(8, 0, b"cat".to_vec())]);
        assert_eq!(taken(&starts), []);
    }

    #[test]
    fn what_failed_is_not_seen_or_is_known_to_have_been_taken() {
        let starts = zeroed();
        let ticket = starts.note(1, 7, 0, 1, [&b"a"[..]]).unwrap();
        assert!(starts.withdraw(ticket));
        assert_eq!(taken(&starts), []);
        let ticket = starts.note(1, 7, 0, 2, [&b"b"[..]]).unwrap();
        assert_eq!(taken(&starts).len(), 1);
        // Another start has the room now.
        starts.note(1, 8, 0, 3, [&b"c"[..]]);
        assert!(!starts.withdraw(ticket));
        assert_eq!(taken(&starts), [(8, 0, b"c".to_vec())]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let starts = zeroed();
        assert!(starts.note(0, 1, 0, 0, []).is_none());
        let noted = (0..10).filter(|&pid| starts.note(7, pid, 0, 0, []).is_some());
        assert_eq!(noted.count(), 7);
        assert_eq!(taken(&starts).len(), 7);
    }
}
