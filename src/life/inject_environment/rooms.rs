//! Memory for changed environments. A stack may be too small for one, so a static pool has some rooms.

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::process::vfork;
use crate::{sys, thread};

const ROOMS: usize = 32;
/// The size of a room in bytes: enough for a thousand variables. Pages that nobody has touched take no memory.
const BYTES: usize = 8192;

#[repr(align(4096))]
struct Words(UnsafeCell<[u8; BYTES]>);

// SAFETY: only the owner of a room writes to it. [`Room::for_a_sandbox`] explains its exception.
unsafe impl Sync for Words {}

static POOL: [Words; ROOMS] = [const { Words(UnsafeCell::new([0; BYTES])) }; ROOMS];

/// The owner of each room: the thread's identity, with `BY_VFORK` added for a child of vfork. 0 if the room is free.
static OWNERS: [AtomicUsize; ROOMS] = [const { AtomicUsize::new(0) }; ROOMS];

/// A child of vfork owns the room. If its exec succeeds, nobody frees the room.
const BY_VFORK: usize = 1;

/// How many rooms were used in a sandbox.
static USED_IN_A_SANDBOX: AtomicUsize = AtomicUsize::new(0);

/// Memory for an environment and its texts.
pub struct Room {
    start: *mut *const c_char,
    is: Is,
}

enum Is {
    /// This room of the pool, which has an owner.
    Taken(usize),
    /// A room of the pool without an owner.
    Borrowed,
    /// A mapping of its own.
    Mapped(sys::Memory),
}

impl Room {
    /// Returns memory of at least this many bytes: a room of the pool, or else a new mapping. If a child of vfork makes
    /// the mapping and its exec succeeds, the mapping stays in the parent. `None` if there is no memory.
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

    /// Returns memory of at least this many bytes for a copy of the process's own environment, for an exec in a
    /// sandbox. `None` if there is no room of that size.
    ///
    /// No system call may be made there. So Weir cannot distinguish a child of vfork from its parent, and does not know
    /// whether a room is still in use. The rooms get no owner, and each exec uses the next one. If an exec is slower
    /// than `ROOMS` others, one of these overwrites its environment. It writes the same bytes, because all of them copy
    /// the process's own environment.
    pub fn for_a_sandbox(bytes: usize) -> Option<Room> {
        if bytes > BYTES {
            return None;
        }
        let first = USED_IN_A_SANDBOX.fetch_add(1, Ordering::Relaxed);
        let mut numbers = (0..ROOMS).map(|more| first.wrapping_add(more) % ROOMS);
        // Some rooms were taken before the process sealed itself.
        let number = numbers.find(|&number| OWNERS[number].load(Ordering::Relaxed) == 0)?;
        Some(Room {
            start: POOL[number].0.get().cast(),
            is: Is::Borrowed,
        })
    }

    /// The address of the memory, aligned for pointers.
    pub fn start(&self) -> *mut *const c_char {
        self.start
    }

    /// Frees the memory.
    pub fn give_back(self) {
        match self.is {
            Is::Taken(number) => OWNERS[number].store(0, Ordering::Release),
            Is::Borrowed => {}
            Is::Mapped(memory) => drop(memory),
        }
    }
}

/// Takes a free room of the pool, and returns its number. `None` if there is none.
fn take() -> Option<usize> {
    let mut owner = thread::identity();
    if vfork::is_child() {
        owner |= BY_VFORK;
        // An earlier child of this thread has left the room. That child has executed its program or ended, because only
        // then does this thread go on.
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

/// Called in a child of fork: frees the rooms of other threads, which do not exist here.
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
