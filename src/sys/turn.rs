//! One thread at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::await_until;

/// Work that one thread does at a time, with its signals blocked: so no signal handler interrupts it, or jumps out of it, and
/// who has the turn can only be slow. The others wait by time, not by attempts: on a busy machine the one that has the turn may
/// not run for many milliseconds.
pub struct Turn(AtomicBool);

impl Turn {
    /// How long a thread waits for its turn. It is this long only if a debugger holds the other thread.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Nobody has it.
    pub const fn new() -> Turn {
        Turn(AtomicBool::new(false))
    }

    /// Does `work`, with signals blocked, when no other thread does. `None` if that takes too long.
    pub fn with<T>(&self, work: impl FnOnce() -> Option<T>) -> Option<T> {
        if !await_until(Turn::PATIENCE, || !self.0.swap(true, Ordering::Acquire)) {
            return None;
        }
        let result = work();
        self.0.store(false, Ordering::Release);
        result
    }

    /// In a child of fork, or for a new region: the thread that had it does not exist.
    pub fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn those_that_wait_for_long_get_their_turn() {
        static TURN: Turn = Turn::new();
        static INSIDE: AtomicU32 = AtomicU32::new(0);
        let work = || {
            assert_eq!(INSIDE.fetch_add(1, Ordering::Relaxed), 0);
            thread::sleep(Duration::from_millis(30));
            INSIDE.fetch_sub(1, Ordering::Relaxed);
            Some(())
        };
        let threads: Vec<_> = (0..8)
            .map(|_| thread::spawn(move || TURN.with(work)))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Some(()));
        }
    }

    #[test]
    fn one_that_never_ends_holds_nobody_up_forever() {
        static TURN: Turn = Turn::new();
        let result = TURN.with(|| TURN.with(|| Some(1)).or(Some(2)));
        assert_eq!(result, Some(2));
        assert_eq!(TURN.with(|| Some(3)), Some(3));
    }
}
