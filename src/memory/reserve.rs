//! Memory for the writer in the program, for when the kernel gives no more.
//!
//! A program may reach the limit on its address space, its data, or its memory maps at any time, but its report must
//! still be written. So some addresses are reserved at the start, without access. That takes no memory, and counts
//! only against the limit on address space. If there is such a limit at the start, nothing is reserved. To make the
//! reserve accessible takes neither a new mapping nor more addresses, so it works at every limit.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::process::Resource;

use crate::sys;

/// The size of the reserve in bytes: the stack, which comes first, and the heap. A writer takes 14 KB for a small
/// program, 330 KB for one with eight threads.
const BYTES: usize = sys::OWN_STACK + 3 * 1024 * 1024;

/// How long a thread waits for another one that makes the reserve accessible. That is two system calls, but the other
/// thread may have to wait for a processor.
const PATIENCE: Duration = Duration::from_secs(5);

static RESERVE: Reserve = Reserve::new();

struct Reserve {
    start: AtomicPtr<c_void>,
    /// How many bytes are in use, including the stack.
    taken: AtomicUsize,
    state: AtomicU32,
    /// Whether a thread is on the stack.
    is_stack_taken: AtomicBool,
}

const CLOSED: u32 = 0;
/// A thread is making it accessible. Signals are blocked there, so the other threads can wait for it.
const OPENING: u32 = 1;
/// It is private: a forked child has a copy.
const PRIVATE: u32 = 2;
/// It is shared: a forked child has the same memory.
const SHARED: u32 = 3;
/// It could not be made accessible.
const FAILED: u32 = 4;

/// Reserves the addresses. For the start of the process.
pub fn make() {
    RESERVE.make();
}

/// Empties the reserve in a child of fork, which has one thread. If the memory is shared with the parent, the child
/// has no reserve.
pub fn forked() {
    RESERVE.forked();
}

/// Takes zeroed bytes of the reserve, from the start of a page. NULL if it has fewer bytes left. `bytes` is a
/// multiple of the page size. Signals must be blocked.
pub fn take(bytes: usize) -> *mut u8 {
    RESERVE.take(bytes)
}

/// Does `work` on the reserve's stack. False, and nothing done, if there is no reserve, or another thread is on the
/// stack for longer than `patience`. Signals must be blocked.
pub fn on_stack(patience: Duration, work: &mut impl FnMut()) -> bool {
    RESERVE.on_stack(patience, work)
}

impl Reserve {
    const fn new() -> Self {
        Self {
            start: AtomicPtr::new(ptr::null_mut()),
            taken: AtomicUsize::new(sys::OWN_STACK),
            state: AtomicU32::new(CLOSED),
            is_stack_taken: AtomicBool::new(false),
        }
    }

    fn make(&self) {
        if sys::limit(Resource::As).is_some() {
            return;
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, wherever the kernel has room, affects nothing else.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), BYTES, ProtFlags::empty(), flags)
        };
        self.start
            .store(start.unwrap_or(ptr::null_mut()), Ordering::Relaxed);
    }

    fn forked(&self) {
        let start = self.start.load(Ordering::Relaxed);
        match self.state.load(Ordering::Relaxed) {
            _ if start.is_null() => {}
            CLOSED => {}
            PRIVATE => {
                // SAFETY: our own mapping, which the child does not use yet. It reads as zeroes afterwards.
                let zeroed = unsafe { rustix::mm::madvise(start, BYTES, Advice::LinuxDontNeed) };
                if zeroed.is_err() {
                    self.start.store(ptr::null_mut(), Ordering::Relaxed);
                }
            }
            _ => self.start.store(ptr::null_mut(), Ordering::Relaxed),
        }
        self.taken.store(sys::OWN_STACK, Ordering::Relaxed);
        self.is_stack_taken.store(false, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> *mut u8 {
        let Some(start) = self.open() else {
            return ptr::null_mut();
        };
        let take = |taken: usize| taken.checked_add(bytes).filter(|&all| all <= BYTES);
        match self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            // SAFETY: within the mapping.
            Ok(taken) => unsafe { start.byte_add(taken) }.cast(),
            Err(_) => ptr::null_mut(),
        }
    }

    fn on_stack(&self, patience: Duration, work: &mut impl FnMut()) -> bool {
        let Some(start) = self.open() else {
            return false;
        };
        let is_free = || !self.is_stack_taken.swap(true, Ordering::Acquire);
        if !sys::await_until(patience, is_free) {
            return false;
        }
        // SAFETY: the end of the stack, which is ours alone until the work is done.
        unsafe { sys::on_stack(start.byte_add(sys::OWN_STACK), work) };
        self.is_stack_taken.store(false, Ordering::Release);
        true
    }

    /// Makes the reserve accessible, if it is not yet. Returns its start; `None` if there is no reserve.
    fn open(&self) -> Option<*mut c_void> {
        let start = self.start.load(Ordering::Relaxed);
        if start.is_null() {
            return None;
        }
        let state = &self.state;
        match state.compare_exchange(CLOSED, OPENING, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => state.store(open_at(start).unwrap_or(FAILED), Ordering::Release),
            Err(OPENING) => {
                let is_done = || state.load(Ordering::Acquire) != OPENING;
                sys::await_until(PATIENCE, is_done);
            }
            Err(_) => {}
        }
        let is_open = matches!(state.load(Ordering::Acquire), PRIVATE | SHARED);
        is_open.then_some(start)
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

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn every_thread_gets_some_while_another_makes_it_accessible() {
        const THREADS: usize = 4;
        const BYTES_EACH: usize = 4096;
        for _ in 0..200 {
            let reserve = Reserve::new();
            reserve.make();
            let together = Barrier::new(THREADS);
            let taken = std::thread::scope(|scope| {
                let threads = [(); THREADS].map(|()| {
                    scope.spawn(|| {
                        together.wait();
                        let block = reserve.take(BYTES_EACH);
                        if !block.is_null() {
                            // SAFETY: the first byte of a block that is this thread's alone.
                            unsafe { block.write(1) };
                        }
                        block as usize
                    })
                });
                threads.map(|thread| thread.join().unwrap())
            });
            let start = reserve.start.load(Ordering::Relaxed);
            let mut places = taken.map(|block| block.wrapping_sub(start as usize));
            places.sort_unstable();
            let expected = std::array::from_fn(|i| sys::OWN_STACK + i * BYTES_EACH);
            assert_eq!(places, expected);
            // SAFETY: the mapping, which nothing uses any more.
            unsafe { rustix::mm::munmap(start, BYTES) }.unwrap();
        }
    }
}
