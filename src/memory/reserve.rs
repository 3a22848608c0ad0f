//! Memory for the writer in the program, for when the kernel gives no more.
//!
//! A program may reach the limit on its address space, its data, or its memory maps at any time, but its report must
//! still be written. So some addresses are reserved at the start, without access. That takes no memory, and counts
//! only against the limit on address space. If there is such a limit at the start, nothing is reserved. To make the
//! reserve accessible takes neither a new mapping nor more addresses, so it works at every limit.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::process::Resource;

use crate::sys;

/// The size of the reserve in bytes: the stack, which comes first, and the heap. A writer takes 14 KB for a small
/// program, 330 KB for one with eight threads.
const BYTES: usize = sys::OWN_STACK + 3 * 1024 * 1024;

static START: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// How many bytes are in use, including the stack.
static TAKEN: AtomicUsize = AtomicUsize::new(sys::OWN_STACK);
static STATE: AtomicU32 = AtomicU32::new(CLOSED);
/// Whether a thread is on the stack.
static IS_STACK_TAKEN: AtomicBool = AtomicBool::new(false);

const CLOSED: u32 = 0;
/// A thread is making it accessible, or the attempt failed.
const OPENING: u32 = 1;
/// It is private: a forked child has a copy.
const PRIVATE: u32 = 2;
/// It is shared: a forked child has the same memory.
const SHARED: u32 = 3;

/// Reserves the addresses. For the start of the process.
pub fn make() {
    if sys::limit(Resource::As).is_some() {
        return;
    }
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, wherever the kernel has room, affects nothing else.
    let start =
        unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), BYTES, ProtFlags::empty(), flags) };
    START.store(start.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
}

/// Empties the reserve in a child of fork, which has one thread. If the memory is shared with the parent, the child
/// has no reserve.
pub fn forked() {
    let start = START.load(Ordering::Relaxed);
    match STATE.load(Ordering::Relaxed) {
        _ if start.is_null() => {}
        CLOSED => {}
        PRIVATE => {
            // SAFETY: our own mapping, which the child does not use yet. It reads as zeroes afterwards.
            let zeroed = unsafe { rustix::mm::madvise(start, BYTES, Advice::LinuxDontNeed) };
            if zeroed.is_err() {
                START.store(ptr::null_mut(), Ordering::Relaxed);
            }
        }
        _ => START.store(ptr::null_mut(), Ordering::Relaxed),
    }
    TAKEN.store(sys::OWN_STACK, Ordering::Relaxed);
    IS_STACK_TAKEN.store(false, Ordering::Relaxed);
}

/// Takes zeroed bytes of the reserve, from the start of a page. NULL if it has fewer bytes left. `bytes` is a
/// multiple of the page size.
pub fn take(bytes: usize) -> *mut u8 {
    let Some(start) = open() else {
        return ptr::null_mut();
    };
    let take = |taken: usize| taken.checked_add(bytes).filter(|&all| all <= BYTES);
    match TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        // SAFETY: within the mapping.
        Ok(taken) => unsafe { start.byte_add(taken) }.cast(),
        Err(_) => ptr::null_mut(),
    }
}

/// Does `work` on the reserve's stack. False, and nothing done, if there is no reserve or another thread is on the
/// stack.
pub fn on_stack(work: &mut impl FnMut()) -> bool {
    let Some(start) = open() else {
        return false;
    };
    if IS_STACK_TAKEN.swap(true, Ordering::Acquire) {
        return false;
    }
    // SAFETY: the end of the stack, which is ours alone until the work is done.
    unsafe { sys::on_stack(start.byte_add(sys::OWN_STACK), work) };
    IS_STACK_TAKEN.store(false, Ordering::Release);
    true
}

/// Makes the reserve accessible, if it is not yet. Returns its start; `None` if there is no reserve.
fn open() -> Option<*mut c_void> {
    let start = START.load(Ordering::Relaxed);
    if start.is_null() {
        return None;
    }
    match STATE.compare_exchange(CLOSED, OPENING, Ordering::Acquire, Ordering::Acquire) {
        Ok(_) => {
            let state = open_at(start)?;
            STATE.store(state, Ordering::Release);
            Some(start)
        }
        Err(PRIVATE | SHARED) => Some(start),
        Err(_) => None,
    }
}

fn open_at(start: *mut c_void) -> Option<u32> {
    let opened = MprotectFlags::READ | MprotectFlags::WRITE;
    // SAFETY: our own mapping, all of it.
    if unsafe { rustix::mm::mprotect(start, BYTES, opened) }.is_ok() {
        return Some(PRIVATE);
    }
    // Shared memory does not count as data.
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: in place of our own mapping, which nothing uses yet.
    let mapped = unsafe { rustix::mm::mmap_anonymous(start, BYTES, protection, flags) };
    mapped.ok().map(|_| SHARED)
}
