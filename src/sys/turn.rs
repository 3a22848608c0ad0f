//! One thread at a time.

use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::thread::{Timespec, futex};

/// Work that one thread does at a time, with its signals blocked: so no signal handler interrupts it, or jumps out of it, and
/// who has the turn can only be slow. The others sleep meanwhile. They wait by time, not by attempts: on a busy machine the one
/// that has the turn may not run for many milliseconds. With each turn that ends the time begins anew, because a thread may have
/// a thousand others before it.
///
/// The state is the number of turns that have ended, in units of [`ENDED`], with the flags [`TAKEN`] and [`AWAITED`].
pub struct Turn(AtomicU32);

/// A thread has the turn.
const TAKEN: u32 = 1;
/// Others may sleep until it ends.
const AWAITED: u32 = 2;
const ENDED: u32 = 4;

impl Turn {
    /// How long a thread waits while no turn ends. It is this long only if a debugger holds the thread that has it.
    const PATIENCE: Timespec = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };

    /// Nobody has it.
    pub const fn new() -> Turn {
        Turn(AtomicU32::new(0))
    }

    /// Does `work`, with signals blocked, when no other thread does. `None` if one turn takes too long.
    pub fn with<T>(&self, work: impl FnOnce() -> Option<T>) -> Option<T> {
        if !self.take() {
            return None;
        }
        let result = work();
        self.end();
        result
    }

    fn take(&self) -> bool {
        // One that has slept does not know whether others still do.
        let mut taken = TAKEN;
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let is_free = state & TAKEN == 0;
            let next = state | if is_free { taken } else { AWAITED };
            let changed =
                self.0
                    .compare_exchange_weak(state, next, Ordering::Acquire, Ordering::Relaxed);
            match changed {
                Ok(_) if is_free => return true,
                Ok(_) if !self.sleep(next) => return false,
                Ok(_) => {
                    taken = TAKEN | AWAITED;
                    state = self.0.load(Ordering::Relaxed);
                }
                Err(now) => state = now,
            }
        }
    }

    /// Sleeps while the state is this one. False if it still is after [`Turn::PATIENCE`], or if the kernel refuses.
    fn sleep(&self, state: u32) -> bool {
        match futex::wait(&self.0, futex::Flags::PRIVATE, state, Some(&Turn::PATIENCE)) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR) => true,
            Err(Errno::TIMEDOUT) => self.0.load(Ordering::Relaxed) != state,
            Err(_) => false,
        }
    }

    fn end(&self) {
        let ended = |state: u32| (state & !(TAKEN | AWAITED)).wrapping_add(ENDED);
        let update = |state| Some(ended(state));
        if let Ok(state) = self
            .0
            .fetch_update(Ordering::Release, Ordering::Relaxed, update)
            && state & AWAITED != 0
        {
            let _ = futex::wake(&self.0, futex::Flags::PRIVATE, 1);
        }
    }

    /// In a child of fork, or for a new region: the thread that had it does not exist.
    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

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
    fn so_do_those_with_many_before_them() {
        static TURN: Turn = Turn::new();
        let work = || {
            thread::sleep(Duration::from_millis(50));
            Some(())
        };
        let threads: Vec<_> = (0..40)
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
