//! Memory for the writer in the program where the kernel gives none any more.
//!
//! A program may come to the limit on its address space, on its data, or on its memory maps, at any time; its report is
//! to be written all the same. So some addresses are reserved at the start, without access: that takes no memory, and
//! counts against no limit but that on address space, and where there is one then, nothing is reserved.
//! To open them up takes no mapping and no address more, whatever the program has come to.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::process::Resource;

use crate::sys;

/// For the stack, which comes first, and for the heap. A writer takes 14 KB for a small program, 330 KB for one with eight threads.
const BYTES: usize = sys::OWN_STACK + 3 * 1024 * 1024;

static START: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// How much of it is in use, the stack included.
static TAKEN: AtomicUsize = AtomicUsize::new(sys::OWN_STACK);
static STATE: AtomicU32 = AtomicU32::new(CLOSED);
/// Whether somebody is on the stack.
static IS_STACK_TAKEN: AtomicBool = AtomicBool::new(false);

const CLOSED: u32 = 0;
/// A thread is opening it up, or nobody could.
const OPENING: u32 = 1;
/// A forked child has a copy.
const PRIVATE: u32 = 2;
/// A forked child has the same.
const SHARED: u32 = 3;

/// Reserves it. For the start of the process.
pub fn make() {
    if sys::limit(Resource::As).is_some() {
        return;
    }
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping, wherever the kernel has room, harms nobody.
    let start =
        unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), BYTES, ProtFlags::empty(), flags) };
    START.store(start.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
}

/// In a child of fork, which has one thread.
pub fn forked() {
    let start = START.load(Ordering::Relaxed);
    match STATE.load(Ordering::Relaxed) {
        _ if start.is_null() => {}
        CLOSED => {}
        PRIVATE => {
            // SAFETY: our mapping, in which nothing of the child's is yet; it reads as zeroes afterwards.
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

/// So many zeroed bytes of it, from a page's start, which nobody else gets; NULL where there are not so many left.
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

/// Does `work` on the stack that is a part of it. False, and nothing done, where there is none or somebody is on it.
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

/// Makes it memory, if it is not yet. Where it is.
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
    // What is shared does not count as data.
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::SHARED | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: in place of our own mapping, where nothing is yet.
    let mapped = unsafe { rustix::mm::mmap_anonymous(start, BYTES, protection, flags) };
    mapped.ok().map(|_| SHARED)
}
