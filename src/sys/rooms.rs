//! Room for data that is too long for the caller's stack: that of a signal handler or a coroutine may be small.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// One of a few that are always there. A signal handler takes another than the call that it has interrupted.
struct Room {
    is_taken: AtomicBool,
    words: UnsafeCell<[u64; WORDS]>,
}

const WORDS: usize = 64;
const ROOMS: usize = 32;
// SAFETY: only the taker of the room uses the words.
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
    // SAFETY: taken, so that there is no other user, and large enough.
    unsafe { place.write_bytes(0, 1) };
    let result = work(place);
    room.is_taken.store(false, Ordering::Release);
    result
}

/// The same for what can be done without: none, and nothing done, where there is no memory either. What calls it needs no second
/// copy of `work`, and so less of the stack.
#[inline(always)]
pub fn with_room_if_possible<T, R>(work: impl FnOnce(*mut T) -> R) -> Option<R> {
    const { assert!(size_of::<T>() <= WORDS * 8 && align_of::<T>() <= align_of::<u64>()) };
    let place = take_anywhere();
    if place.is_null() {
        return None;
    }
    let result = work(place.cast());
    give_back(place);
    Some(result)
}

/// Zeroed room of all words; NULL where there is none.
#[inline(never)]
fn take_anywhere() -> *mut [u64; WORDS] {
    if let Some(room) = take() {
        let words = room.words.get();
        // SAFETY: taken, so that there is no other user.
        unsafe { words.write_bytes(0, 1) };
        return words;
    }
    match super::Memory::new(size_of::<[u64; WORDS]>()) {
        Some(memory) => std::mem::ManuallyDrop::new(memory).start().cast(),
        None => std::ptr::null_mut(),
    }
}

#[inline(never)]
fn give_back(place: *mut [u64; WORDS]) {
    match POOL.iter().find(|room| room.words.get() == place) {
        Some(room) => room.is_taken.store(false, Ordering::Release),
        // SAFETY: a mapping of [`take_anywhere`] that is not used any more.
        None => drop(unsafe { super::Memory::of(place.cast(), size_of::<[u64; WORDS]>()) }),
    }
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
