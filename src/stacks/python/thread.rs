//! Which of the interpreter's threads the calling one is, and whether it holds the interpreter's lock.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::layout::{self, DIRECT, Field, LAST_HOLDER, LOCKED};
use super::memory::Memory;
use crate::sys;

/// What a thread remembers of itself.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Known {
    /// The address of its state; 0 where it has none, or that is not known.
    state: usize,
    /// The address of its interpreter's lock, where that lasts as long as the runtime; else 0.
    lock: usize,
    /// The kernel's number of the thread; 0 where it has not been asked.
    id: usize,
    /// How often the state was looked for, and not found.
    misses: u32,
}

/// Most threads that are not the interpreter's never become so: after this many misses, only one call of [`MISS_PERIOD`] looks again.
const MISSES: u32 = 16;
const MISS_PERIOD: u32 = 64;
/// More interpreters, or threads, are not looked at.
const MOST: usize = 1024;

/// The interpreter's memory that lasts as long as its code: the runtime.
#[derive(Clone, Copy)]
pub struct Runtime {
    /// Where it begins.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
}

impl Runtime {
    fn has(self, at: usize, bytes: usize) -> bool {
        at.is_multiple_of(size_of::<usize>())
            && at >= self.from
            && at.saturating_add(bytes) <= self.to
    }

    /// A word of it.
    fn word(self, at: usize) -> usize {
        if !self.has(at, size_of::<usize>()) {
            return 0;
        }
        // SAFETY: within the runtime, which is aligned; other threads write it as an atomic.
        let word = unsafe { AtomicUsize::from_ptr(std::ptr::with_exposed_provenance_mut(at)) };
        word.load(Ordering::Acquire)
    }
}

impl Known {
    /// Finds out whether the calling thread holds the lock. Cheap; only what cannot go is read.
    #[inline(always)]
    fn holds_lock(&self, runtime: Runtime) -> bool {
        if self.state == 0 {
            return false;
        }
        if !layout::has_a_lock_for_each_interpreter() {
            return runtime.word(runtime.from + layout::of(Field::Lock)) == self.state;
        }
        self.lock != 0
            && runtime.word(self.lock + LAST_HOLDER) == self.state
            && runtime.word(self.lock + LOCKED) as u32 != 0
    }

    /// The calling thread's state, and whether its memory is read directly from now on. None where the thread is not one of the interpreter's.
    ///
    /// `may_be_direct` says that the interpreter was not interrupted in the middle of something.
    pub fn state(
        &mut self,
        runtime: Runtime,
        memory: &mut Memory,
        may_be_direct: bool,
    ) -> Option<usize> {
        let is_direct = may_be_direct && self.holds_lock(runtime);
        memory.begin(is_direct);
        if self.state != 0 {
            if self.is_own(self.state, memory) {
                return Some(self.state);
            }
            self.state = 0;
            memory.begin(false);
        }
        if self.misses >= MISSES && !self.misses.is_multiple_of(MISS_PERIOD) {
            self.misses = self.misses.wrapping_add(1).max(MISSES);
            return None;
        }
        if self.id == 0 {
            self.id = sys::tid() as usize;
        }
        let Some((state, interpreter)) = self.find(runtime, memory) else {
            self.misses = self.misses.wrapping_add(1);
            return None;
        };
        self.misses = 0;
        self.state = state;
        let lock = memory
            .word(interpreter + layout::of(Field::Lock))
            .unwrap_or(0);
        self.lock = if runtime.has(lock, LOCKED + size_of::<usize>()) {
            lock
        } else {
            0
        };
        memory.begin(may_be_direct && self.holds_lock(runtime));
        Some(state)
    }

    fn is_own(&self, state: usize, memory: &mut Memory) -> bool {
        memory.word(state + layout::of(Field::ThreadId)) == Some(self.id)
    }

    /// The thread's state and its interpreter, by the lists that the runtime has.
    #[cold]
    #[inline(never)]
    fn find(&self, runtime: Runtime, memory: &mut Memory) -> Option<(usize, usize)> {
        let mut interpreter = runtime.word(runtime.from + layout::of(Field::Interpreters));
        for _ in 0..MOST {
            if interpreter == 0 {
                return None;
            }
            let mut state = memory.word(interpreter + layout::of(Field::Threads))?;
            for _ in 0..MOST {
                if state == 0 {
                    break;
                }
                if self.is_own(state, memory) {
                    return Some((state, interpreter));
                }
                state = memory.word(state + layout::of(Field::NextThread))?;
            }
            interpreter = memory.word(interpreter + layout::of(Field::NextInterpreter))?;
        }
        None
    }

    /// The innermost frame of a state; 0 where there is none.
    pub fn current_frame(state: usize, memory: &mut Memory) -> Option<usize> {
        let current = memory.word(state + layout::of(Field::Current))?;
        match layout::of(Field::CurrentOfCall) {
            DIRECT => Some(current),
            _ if current == 0 => Some(0),
            offset => memory.word(current + offset),
        }
    }
}
