//! What is done at calls of this process besides counting them: bits of one word, so that a hook asks one question.

use std::sync::atomic::{AtomicU32, Ordering};

/// Calls that may block are made in two parts, outside coroutines too.
pub const TWO_PARTS: u32 = 1;
/// A coroutine runtime has registered itself.
pub const COROUTINES: u32 = 2;
/// Call stacks are taken.
pub const STACKS: u32 = 4;
/// They are to be taken of samples of the heap's blocks, and of I/O; [`STACKS`] follows with the first that is worth it.
pub const SAMPLES: u32 = 8;
/// CPython is loaded: its frames are in the stacks.
pub const PYTHON: u32 = 16;
/// Blocks are noted with the time at which they were made.
pub const LIFETIMES: u32 = 32;

static MODES: AtomicU32 = AtomicU32::new(0);

/// Whether any of these is so.
#[inline(always)]
pub fn are(modes: u32) -> bool {
    MODES.load(Ordering::Relaxed) & modes != 0
}

/// The same, for who reads what was written before [`set`].
pub fn are_ready(modes: u32) -> bool {
    MODES.load(Ordering::Acquire) & modes != 0
}

/// These are so from now on.
pub fn set(modes: u32) {
    MODES.fetch_or(modes, Ordering::Release);
}

/// These are so no longer.
pub fn clear(modes: u32) {
    MODES.fetch_and(!modes, Ordering::Relaxed);
}
