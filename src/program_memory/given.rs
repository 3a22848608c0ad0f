//! Paths and addresses that calls were given, kept over the call: each thread with a slot has room for those of its call.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, compiler_fence};

use weir_record::region::MAX_SLOTS;

use super::copy;
use crate::environment::PATH_MAX;
use crate::{sys, thread};

/// What the call of a thread was given.
struct Room {
    /// The address that it was copied from; 0 where there is nothing, 1 while somebody is at work here.
    of: AtomicUsize,
    length: AtomicUsize,
    bytes: UnsafeCell<[u8; PATH_MAX]>,
}

const NOTHING: usize = 0;
const BUSY: usize = 1;

/// Those of the slots' threads.
static ROOMS: [AtomicPtr<Room>; MAX_SLOTS] = [const { AtomicPtr::new(ptr::null_mut()) }; MAX_SLOTS];

/// The calling thread's; none where it has no slot, or there is no memory.
fn room() -> Option<&'static Room> {
    let place = &ROOMS[thread::home()?.index() % MAX_SLOTS];
    // SAFETY: NULL, or a room, which stays.
    let found = unsafe { place.load(Ordering::Acquire).as_ref() };
    found.or_else(|| make(place))
}

#[cold]
#[inline(never)]
fn make(place: &AtomicPtr<Room>) -> Option<&'static Room> {
    if sys::is_sealed() {
        return None;
    }
    let made: *mut Room = sys::reserve(size_of::<Room>())?.cast();
    let stored = place.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
    if stored.is_err() {
        // A signal handler was faster.
        // SAFETY: nobody knows of it.
        unsafe { sys::unreserve(made.cast(), size_of::<Room>()) };
    }
    // SAFETY: a room, which stays; zeroes are an empty one.
    unsafe { place.load(Ordering::Acquire).as_ref() }
}

/// Keeps a path that a call is about to be given, as far as it can be read.
#[inline(never)]
pub fn note_text(text: *const c_char) {
    note_with(text.addr(), |into| copy_text(text.cast(), into));
}

/// Keeps so many bytes.
#[inline(never)]
pub fn note<T>(from: *const T, bytes: usize) {
    note_with(from.addr(), |into| {
        let into = into.get_mut(..bytes)?;
        (copy(from.addr(), into) == bytes).then_some(bytes)
    });
}

#[inline(always)]
fn note_with(of: usize, copy: impl FnOnce(&mut [u8; PATH_MAX]) -> Option<usize>) {
    if of == 0 {
        return;
    }
    // In the middle of another call's work: this call's may be clobbered later, so nothing is kept.
    let Some(room) = room().filter(|room| room.of.swap(BUSY, Ordering::Relaxed) != BUSY) else {
        return;
    };
    // For a signal handler of this thread.
    compiler_fence(Ordering::SeqCst);
    // SAFETY: only this thread is at work here, and a signal handler sees that it is.
    let length = copy(unsafe { &mut *room.bytes.get() });
    compiler_fence(Ordering::SeqCst);
    room.length.store(length.unwrap_or(0), Ordering::Relaxed);
    let of = if length.is_some() { of } else { NOTHING };
    room.of.store(of, Ordering::Relaxed);
}

/// Copies a text up to its NUL. Returns its length; none where it cannot be read, or is longer than any path.
fn copy_text(text: *const u8, into: &mut [u8; PATH_MAX]) -> Option<usize> {
    // Most are short.
    const AT_FIRST: usize = 256;
    let mut done = 0;
    for end in [AT_FIRST, PATH_MAX] {
        let part = &mut into[done..end];
        let copied = copy(text.addr().checked_add(done)?, part);
        if let Some(length) = part[..copied].iter().position(|&byte| byte == 0) {
            return Some(done + length);
        }
        if copied < part.len() {
            return None;
        }
        done = end;
    }
    None
}

/// Calls `work` with what was kept of the call that was given this address, and forgets it. None where nothing was, or the call of a
/// signal handler has taken its place.
#[inline(always)]
pub fn with<R>(of: *const c_void, work: impl FnOnce(Option<&[u8]>) -> R) -> R {
    // In one instruction, because of signal handlers.
    let is_taken = |room: &&Room| {
        let place = &room.of;
        let taken = place.compare_exchange(of.addr(), BUSY, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok()
    };
    let Some(room) = room().filter(|_| of.addr() > BUSY).filter(is_taken) else {
        return work(None);
    };
    compiler_fence(Ordering::SeqCst);
    // SAFETY: only this thread is at work here, and a signal handler sees that it is.
    let bytes = unsafe { &*room.bytes.get() };
    let result = work(bytes.get(..room.length.load(Ordering::Relaxed)));
    compiler_fence(Ordering::SeqCst);
    room.of.store(NOTHING, Ordering::Relaxed);
    result
}

// SAFETY: only the thread whose slot it is, or was, is in a room.
unsafe impl Sync for Room {}
