//! Room for data that is too long for the caller's stack: the stack of a signal handler or a coroutine may be small.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// One of a few rooms that are always there. A signal handler takes another one than the call that it interrupted.
struct Room {
    is_taken: AtomicBool,
    words: UnsafeCell<[u64; WORDS]>,
}

const WORDS: usize = 64;
const ROOMS: usize = 32;
// SAFETY: only the thread that has taken the room uses the words.
unsafe impl Sync for Room {}

static POOL: [Room; ROOMS] = [const {
    Room {
        is_taken: AtomicBool::new(false),
        words: UnsafeCell::new([0; WORDS]),
    }
}; ROOMS];

/// Calls `work` with zeroed room for a `T`, for which zeroes must be valid. `work` must not block for long or unwind.
/// If a jump out of a signal handler leaves a room, the room stays taken. If no room is free, memory is mapped, or
/// the room is on the stack.
#[inline(always)]
pub fn with_room_for<T, R>(work: impl Fn(*mut T) -> R) -> R {
    const { assert!(size_of::<T>() <= WORDS * 8 && align_of::<T>() <= align_of::<u64>()) };
    let Some(room) = take() else {
        return with_room_elsewhere(work);
    };
    let place = room.words.get().cast::<T>();
    // SAFETY: the room is taken, so there is no other user, and it is large enough.
    unsafe { place.write_bytes(0, 1) };
    let result = work(place);
    room.is_taken.store(false, Ordering::Release);
    result
}

/// The same for work that is not essential: `None`, and nothing done, if there is no memory either. The caller
/// contains only one copy of `work`, and so takes less of the stack.
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

/// Takes a zeroed room of all words. NULL if there is none.
#[inline(never)]
fn take_anywhere() -> *mut [u64; WORDS] {
    if let Some(room) = take() {
        let words = room.words.get();
        // SAFETY: the room is taken, so there is no other user.
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
        // SAFETY: a mapping that [`take_anywhere`] made and that is not used any more.
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
