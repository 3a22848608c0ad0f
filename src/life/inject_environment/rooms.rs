//! Room for environments that are changed. A stack may be too small for one: a few are always there.

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::process::vfork;
use crate::{sys, thread};

const ROOMS: usize = 32;
/// Enough for a thousand variables. Pages that nobody has touched cost nothing.
const BYTES: usize = 8192;

#[repr(align(4096))]
struct Words(UnsafeCell<[u8; BYTES]>);

// SAFETY: written by whoever took the room; of what a sandbox adds to that, `for_a_sandbox` tells.
unsafe impl Sync for Words {}

static POOL: [Words; ROOMS] = [const { Words(UnsafeCell::new([0; BYTES])) }; ROOMS];

/// Who has each: the thread's identity, with `BY_VFORK` where it is a child of vfork; 0 where nobody has.
static OWNERS: [AtomicUsize; ROOMS] = [const { AtomicUsize::new(0) }; ROOMS];

/// A child of vfork took it. Where the exec succeeds, nobody gives it back.
const BY_VFORK: usize = 1;

/// How many were used in a sandbox.
static USED_IN_A_SANDBOX: AtomicUsize = AtomicUsize::new(0);

/// Room for an environment and its texts.
pub struct Room {
    start: *mut *const c_char,
    is: Is,
}

enum Is {
    /// This one of the pool, that somebody took.
    Taken(usize),
    /// One of the pool, that nobody took.
    Borrowed,
    /// A mapping of its own.
    Mapped(sys::Memory),
}

impl Room {
    /// Room for so many bytes: of the pool, or else a mapping, which a child of vfork that succeeds leaves behind in its
    /// parent. None where there is no memory.
    pub fn new(bytes: usize) -> Option<Room> {
        if bytes <= BYTES
            && let Some(number) = take()
        {
            return Some(Room {
                start: POOL[number].0.get().cast(),
                is: Is::Taken(number),
            });
        }
        let memory = sys::Memory::for_the_program(bytes)?;
        Some(Room {
            start: memory.start().cast(),
            is: Is::Mapped(memory),
        })
    }

    /// Room for so many bytes of the process's own environment, for an exec in a sandbox. None for more than there is
    /// room for.
    ///
    /// No call may be made there: nobody can tell a child of vfork from its parent, and so whether a room is still in use.
    /// Nobody takes them, but each exec uses the next. So one that is slower than `ROOMS` others has its environment
    /// written once more while it uses it: by the same, since all of them are made of the process's own.
    pub fn for_a_sandbox(bytes: usize) -> Option<Room> {
        if bytes > BYTES {
            return None;
        }
        let first = USED_IN_A_SANDBOX.fetch_add(1, Ordering::Relaxed);
        let mut numbers = (0..ROOMS).map(|more| first.wrapping_add(more) % ROOMS);
        // Some were taken before the process sealed itself.
        let number = numbers.find(|&number| OWNERS[number].load(Ordering::Relaxed) == 0)?;
        Some(Room {
            start: POOL[number].0.get().cast(),
            is: Is::Borrowed,
        })
    }

    /// Where it begins, aligned for pointers.
    pub fn start(&self) -> *mut *const c_char {
        self.start
    }

    /// Nobody uses it any more.
    pub fn give_back(self) {
        match self.is {
            Is::Taken(number) => OWNERS[number].store(0, Ordering::Release),
            Is::Borrowed => {}
            Is::Mapped(memory) => drop(memory),
        }
    }
}

/// One of the pool, where one is free.
fn take() -> Option<usize> {
    let mut owner = thread::identity();
    if vfork::is_child() {
        owner |= BY_VFORK;
        // An earlier child of this thread has left it: that one is another program by now, or the thread would not be here.
        let left = OWNERS
            .iter()
            .position(|of| of.load(Ordering::Relaxed) == owner);
        if left.is_some() {
            return left;
        }
    }
    OWNERS.iter().position(|of| {
        of.compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    })
}

/// In a child of fork: the other threads that have taken some are not here.
pub fn forked() {
    let own = thread::identity();
    for owner in &OWNERS {
        if owner.load(Ordering::Relaxed) != own {
            owner.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_room_of_its_own_in_the_pool_and_outside() {
        let rooms: Vec<Room> = (0..2 * ROOMS)
            .map(|_| Room::new(BYTES).expect("memory"))
            .collect();
        let mut starts: Vec<_> = rooms.iter().map(Room::start).collect();
        starts.sort();
        starts.dedup();
        assert_eq!(starts.len(), 2 * ROOMS);
        assert!(rooms.iter().any(|room| matches!(room.is, Is::Taken(_))));
        assert!(rooms.iter().any(|room| matches!(room.is, Is::Mapped(_))));
        assert!(Room::for_a_sandbox(8).is_none(), "all are taken");
        rooms.into_iter().for_each(Room::give_back);
        let large = Room::new(BYTES + 1).expect("memory");
        assert!(matches!(large.is, Is::Mapped(_)));
        large.give_back();
        assert!(Room::for_a_sandbox(BYTES + 1).is_none());
        let [one, other] = [(), ()].map(|()| Room::for_a_sandbox(BYTES).expect("room"));
        assert_ne!(one.start(), other.start());
    }
}
