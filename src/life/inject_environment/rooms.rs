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

static OWNERS: Owners = Owners::new();

/// A child of vfork owns the room. If its exec succeeds, [`begin_vfork`] frees the room.
const BY_VFORK: usize = 1;
/// Execs in a sandbox use the room from now on, and nobody takes it.
const SANDBOX: usize = 2;

/// How many rooms were used in a sandbox.
static USED_IN_A_SANDBOX: AtomicUsize = AtomicUsize::new(0);

/// The owner of each room of the pool: the thread's identity, with `BY_VFORK` added for a child of vfork; or `SANDBOX`; or 0 if
/// the room is free.
///
/// Only a free room is taken. The owner alone does not show who may use a room: a child that `clone` makes with its parent's
/// thread area has its parent's identity.
struct Owners([AtomicUsize; ROOMS]);

impl Owners {
    const fn new() -> Owners {
        Owners([const { AtomicUsize::new(0) }; ROOMS])
    }

    /// Takes a free room for this owner, and returns its number. `None` if there is none.
    fn take(&self, owner: usize) -> Option<usize> {
        self.0.iter().position(|of| claim(of, owner) == Ok(0))
    }

    /// Takes a room for a sandbox, which may use it already, and returns its number. The search begins at `first`, modulo
    /// the number of rooms.
    fn take_for_a_sandbox(&self, first: usize) -> Option<usize> {
        let mut numbers = (0..ROOMS).map(|more| first.wrapping_add(more) % ROOMS);
        // Some rooms were taken before the process sealed itself.
        numbers.find(|&number| matches!(claim(&self.0[number], SANDBOX), Ok(_) | Err(SANDBOX)))
    }

    /// Frees the room of this number.
    fn give_back(&self, number: usize) {
        self.0[number].store(0, Ordering::Release);
    }

    /// Frees all rooms of this owner if `are_left`. Does not call `are_left` if there are none.
    fn give_back_left(&self, owner: usize, are_left: impl FnOnce() -> bool) {
        let is_owned = |of: &&AtomicUsize| of.load(Ordering::Relaxed) == owner;
        if self.0.iter().any(|of| is_owned(&of)) && are_left() {
            let left = self.0.iter().filter(is_owned);
            left.for_each(|of| of.store(0, Ordering::Release));
        }
    }

    /// Frees the rooms of all other owners.
    fn keep(&self, owner: usize) {
        for of in &self.0 {
            if of.load(Ordering::Relaxed) != owner {
                of.store(0, Ordering::Relaxed);
            }
        }
    }
}

/// Makes this the owner of a room if the room is free; else returns its owner as the error.
fn claim(of: &AtomicUsize, owner: usize) -> Result<usize, usize> {
    of.compare_exchange(0, owner, Ordering::Acquire, Ordering::Relaxed)
}

/// Memory for an environment and its texts.
pub struct Room {
    start: *mut *const c_char,
    is: Is,
}

enum Is {
    /// This room of the pool.
    Taken(usize),
    /// A room of the pool that belongs to the sandbox.
    Borrowed,
    /// A mapping of its own.
    Mapped(sys::Memory),
}

impl Room {
    /// Returns memory of at least this many bytes: a room of the pool, or else a new mapping. If a child of vfork makes
    /// the mapping and its exec succeeds, the mapping stays in the parent. `None` if there is no memory.
    pub fn new(bytes: usize) -> Option<Room> {
        if bytes <= BYTES
            && let Some(number) = OWNERS.take(owner())
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
    /// whether a room is still in use. Nobody frees these rooms, and each exec uses the next one. If an exec is slower
    /// than as many others as there are such rooms, one of these overwrites its environment. It writes the same bytes,
    /// because all of them copy the process's own environment, unless the program has changed that in the meantime.
    pub fn for_a_sandbox(bytes: usize) -> Option<Room> {
        if bytes > BYTES {
            return None;
        }
        let first = USED_IN_A_SANDBOX.fetch_add(1, Ordering::Relaxed);
        let number = OWNERS.take_for_a_sandbox(first)?;
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
            Is::Taken(number) => OWNERS.give_back(number),
            Is::Borrowed => {}
            Is::Mapped(memory) => drop(memory),
        }
    }
}

/// The calling thread, as an owner of rooms.
fn owner() -> usize {
    let by_vfork = if vfork::is_child() { BY_VFORK } else { 0 };
    thread::identity() | by_vfork
}

/// Called before the thread makes a child of vfork: frees the rooms that its earlier children have left. Such a child has
/// executed its program or ended, because only then does this thread go on. This does not hold if the thread is itself such
/// a child, or if children run at the same time as their parent. Then the rooms stay taken.
pub fn begin_vfork() {
    OWNERS.give_back_left(thread::identity() | BY_VFORK, || {
        !vfork::may_run_beside() && !vfork::is_child()
    });
}

/// Called in a child of fork: frees the rooms of other threads, which do not exist here.
pub fn forked() {
    OWNERS.keep(thread::identity());
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

    #[test]
    fn a_room_has_one_user_also_where_owners_have_one_identity() {
        let owners = Owners::new();
        let (one, other) = (64 | BY_VFORK, 128 | BY_VFORK);
        // Eight children at the same time, with the thread area of their parent.
        let taken = std::thread::scope(|scope| {
            let child = || (0..ROOMS / 8).filter_map(|_| owners.take(one)).collect();
            let children: Vec<_> = (0..8).map(|_| scope.spawn(child)).collect();
            let taken = children
                .into_iter()
                .map(|child| child.join().expect("a child"));
            taken.collect::<Vec<Vec<usize>>>().concat()
        });
        let mut numbers = taken.clone();
        numbers.sort();
        assert_eq!(numbers, (0..ROOMS).collect::<Vec<_>>());
        assert_eq!(owners.take(one), None);
        assert_eq!(owners.take_for_a_sandbox(5), None);
        owners.give_back_left(other, || panic!("it has none"));
        owners.give_back_left(one, || false);
        assert_eq!(owners.take(other), None);
        owners.give_back(7);
        assert_eq!(owners.take(other), Some(7));
        owners.give_back_left(one, || true);
        assert!(owners.take(one).is_some_and(|number| number != 7));
    }

    #[test]
    fn a_room_of_a_sandbox_is_taken_by_nobody_else() {
        let owners = Owners::new();
        assert_eq!(owners.take(64), Some(0));
        let used = [0, 1, ROOMS - 1].map(|first| owners.take_for_a_sandbox(first));
        assert_eq!(used, [Some(1), Some(1), Some(ROOMS - 1)]);
        let taken: Vec<_> = (0..ROOMS).filter_map(|_| owners.take(64)).collect();
        assert_eq!(taken, (2..ROOMS - 1).collect::<Vec<_>>());
        // In a child of fork there is no other user.
        owners.keep(64);
        assert_eq!(owners.take(128), Some(1));
    }
}
