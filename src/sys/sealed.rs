//! Whether the process has given up the right to make every system call: by a seccomp filter, or by strict mode.
//!
//! A filter may take the right from all threads at once. So a thread that makes system calls of ours has an [`Allowed`]
//! from the first to the last of those that belong together, and who seals the process waits until none is left. Within them a second one
//! may be refused: then as much is done as without a system call, and what the first has begun is ended.

use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::time::Duration;

static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// How many threads have an [`Allowed`].
static BUSY: AtomicIsize = AtomicIsize::new(0);

/// How long to wait for them. It is this long only if a thread has been stopped there, or has left it by a jump out of a signal handler.
const PATIENCE: Duration = Duration::from_millis(100);

/// Whether the process has sealed itself. Then Weir must not make a system call that the program would not make
/// itself.
#[inline(always)]
pub fn is_sealed() -> bool {
    IS_SEALED.load(Ordering::Relaxed)
}

/// The process is about to seal itself: no thread makes a system call of ours any more. What was prepared for that is visible to who
/// sees it.
pub fn seal() {
    const STEP: Duration = Duration::from_micros(50);
    // Sequentially consistent, as in `allowed`: either we see a thread here, or it sees that the process is sealed.
    IS_SEALED.store(true, Ordering::SeqCst);
    let mut waited = Duration::ZERO;
    while waited < PATIENCE && BUSY.load(Ordering::SeqCst) > 0 {
        super::sleep(STEP);
        waited += STEP;
    }
}

/// The process has not been sealed after all.
pub fn unseal() {
    IS_SEALED.store(false, Ordering::Release);
}

/// In a child of fork, which has one thread.
pub fn forget_others() {
    BUSY.store(0, Ordering::Relaxed);
}

/// The right to make system calls of ours. It takes no room: the caller's stack may be small.
pub struct Allowed(());

/// Takes that right; none if the process is sealed.
#[inline(always)]
pub fn allowed() -> Option<Allowed> {
    if is_sealed() {
        return None;
    }
    BUSY.fetch_add(1, Ordering::SeqCst);
    let allowed = Allowed(());
    (!IS_SEALED.load(Ordering::SeqCst)).then_some(allowed)
}

impl Drop for Allowed {
    #[inline(always)]
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Release);
    }
}
