//! Room for what is too long for the stack of whoever makes a call: a signal handler's may be small, and a coroutine's too.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// One of a few that are always there. A signal handler takes another than the call that it has interrupted.
struct Room {
    is_taken: AtomicBool,
    words: UnsafeCell<[u64; WORDS]>,
}

const WORDS: usize = 64;
const ROOMS: usize = 32;
// SAFETY: the words are used by whoever took the room only.
unsafe impl Sync for Room {}

static POOL: [Room; ROOMS] = [const {
    Room {
        is_taken: AtomicBool::new(false),
        words: UnsafeCell::new([0; WORDS]),
    }
}; ROOMS];

/// Gives `work` zeroed room for a `T`, of which zeroes are a valid one. It must not block for long or unwind. One that a
/// jump out of a signal handler has left stays taken; where none is free, memory is asked for.
#[inline(always)]
pub fn with_room_for<T, R>(work: impl Fn(*mut T) -> R) -> R {
    const { assert!(size_of::<T>() <= WORDS * 8 && align_of::<T>() <= align_of::<u64>()) };
    let Some(room) = take() else {
        return with_room_elsewhere(work);
    };
    let place = room.words.get().cast::<T>();
    // SAFETY: taken, so that nobody else uses it, and large enough.
    unsafe { place.write_bytes(0, 1) };
    let result = work(place);
    room.is_taken.store(false, Ordering::Release);
    result
}

#[inline(never)]
fn take() -> Option<&'static Room> {
    POOL.iter()
        .find(|room| !room.is_taken.swap(true, Ordering::Acquire))
}

#[cold]
#[inline(never)]
fn with_room_elsewhere<T, R>(work: impl Fn(*mut T) -> R) -> R {
    match super::Memory::new(size_of::<T>()) {
        Some(memory) => work(memory.start().cast()),
        None => with_room_on_stack(work),
    }
}

#[cold]
#[inline(never)]
fn with_room_on_stack<T, R>(work: impl Fn(*mut T) -> R) -> R {
    let mut room = [0_u64; WORDS];
    work(room.as_mut_ptr().cast())
}
