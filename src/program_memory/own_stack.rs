//! The stack that the kernel or the C library has made for the calling thread. Nobody takes it away while the thread runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Resource;

use crate::{environment, sys, thread};

/// How large the stack of the process's first thread is at most, in bytes.
static FIRST: AtomicUsize = AtomicUsize::new(0);
/// How large that of any other thread is at least.
static OTHERS: AtomicUsize = AtomicUsize::new(usize::MAX);

/// So far below the first thread's stack the kernel maps nothing else, whatever the limit (arch/x86/mm/mmap.c and mm/util.c,
/// `MIN_GAP`).
const MOST_OF_FIRST: usize = 128 << 20;
/// The size where there is no limit (glibc, `ARCH_STACK_DEFAULT_SIZE`).
const WITHOUT_LIMIT: usize = 2 << 20;

/// Finds out how large stacks are, unless that is known. In a sealed process that cannot be asked.
#[inline(always)]
pub fn prepare() {
    if FIRST.load(Ordering::Relaxed) == 0 {
        begin();
    }
}

#[cold]
#[inline(never)]
fn begin() {
    let Some(_allowed) = sys::allowed() else {
        return;
    };
    let limit = sys::limit(Resource::Stack).and_then(|bytes| usize::try_from(bytes).ok());
    FIRST.store(
        limit.unwrap_or(MOST_OF_FIRST).clamp(1, MOST_OF_FIRST),
        Ordering::Relaxed,
    );
    OTHERS.fetch_min(limit.unwrap_or(WITHOUT_LIMIT), Ordering::Relaxed);
}

/// A thread is about to be made with a stack of so many bytes.
pub fn thread_is_made(bytes: usize) {
    OTHERS.fetch_min(bytes, Ordering::Relaxed);
}

/// Where the calling thread's own stack ends, which begins at lower addresses; none if the thread is on another one, or this is not
/// known to be its own.
pub fn end(stack_pointer: usize) -> Option<usize> {
    let is_below = |end: usize, bytes: &AtomicUsize| {
        let left = end.checked_sub(stack_pointer);
        left.is_some_and(|left| left > 0 && left <= bytes.load(Ordering::Relaxed))
    };
    prepare();
    if FIRST.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let environment = environment::get();
    if is_below(environment.stack_end, &FIRST) {
        return Some(environment.stack_end);
    }
    // The C library has thread-local storage at the end of the thread's stack, but that of the first thread elsewhere.
    let own = thread::identity();
    (own != environment.first_thread && is_below(own, &OTHERS)).then_some(own)
}
