//! One wait: by the runtime, or by the thread.

use std::cell::Cell;
use std::ffi::{c_int, c_short};

use libc::pollfd;
use weir_record::functions::Function;

use super::passing::Passing;
use super::records::Waiter;
use super::{Way, runtime, signals};
use crate::sys::waiting;
use crate::{next, sys};

/// Until when, by the monotonic clock in nanoseconds; none is for ever.
pub type Deadline = Option<u64>;

/// The deadline of a call that begins now and may wait so long.
pub fn deadline_in(ns: Option<u64>) -> Deadline {
    ns.map(|ns| sys::monotonic_ns().saturating_add(ns))
}

/// How much time is left.
pub fn left_ns(deadline: Deadline) -> Option<u64> {
    deadline.map(|deadline| deadline.saturating_sub(sys::monotonic_ns()))
}

/// How much time is left in milliseconds, rounded up: a wait is not shorter than what was asked for. -1 is for
/// ever.
pub fn left_ms(deadline: Deadline) -> c_int {
    left_ns(deadline).map_or(-1, |ns| {
        c_int::try_from(ns.div_ceil(1_000_000)).unwrap_or(c_int::MAX)
    })
}

/// A call that is made in two parts: how long it has waited. It stands on the stack of the coroutine, and nothing
/// of a thread is in it.
pub struct Parts {
    way: Way,
    has_waited: Cell<bool>,
    wait_ticks: Cell<u64>,
}

impl Parts {
    /// A call that has not waited yet.
    pub fn new(way: Way) -> Parts {
        Parts {
            way,
            has_waited: Cell::new(false),
            wait_ticks: Cell::new(0),
        }
    }

    /// How it waits.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Whether it had to wait.
    pub fn has_waited(&self) -> bool {
        self.has_waited.get()
    }

    /// How long it has waited.
    pub fn wait_ticks(&self) -> u64 {
        self.wait_ticks.get()
    }

    /// Does what is a wait as a whole, if it turns out to have been one.
    pub fn waiting_if<T>(&self, work: impl FnOnce() -> T, has_waited: impl FnOnce() -> bool) -> T {
        let began_ticks = sys::ticks();
        let result = work();
        let took_ticks = sys::ticks().wrapping_sub(began_ticks);
        if has_waited() {
            self.has_waited.set(true);
            self.wait_ticks
                .set(self.wait_ticks.get().wrapping_add(took_ticks));
        }
        result
    }

    /// Does what is a wait as a whole.
    pub fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.waiting_if(wait, || true)
    }

    /// In a coroutine: waits until one of `events` happens on `fd`.
    ///
    /// # Errors
    /// The number of an error: EAGAIN where the time has passed, EBADF where the descriptor was closed, or what
    /// the runtime says.
    pub fn wait(&self, fd: c_int, events: c_short, deadline: Deadline) -> Result<(), c_int> {
        let Way::Coroutine(coroutine) = self.way else {
            return Err(libc::ENOSYS);
        };
        self.waiting(|| {
            let waiter = Waiter::new(fd);
            let is_shared = waiter.is_one_of_several && !runtime::allows_many_waiters();
            // Another descriptor for the same: a set with it alone.
            let set = is_shared.then(Passing::set).flatten();
            let set = set.filter(|set| set.add(fd, events) == 0);
            let result = loop {
                let (fd, events) = match &set {
                    Some(set) => (set.fd(), libc::POLLIN),
                    None => (fd, events),
                };
                let result = runtime::wait_fd(coroutine, fd, events, left_ms(deadline));
                if result == 0 && left_ns(deadline) != Some(0) {
                    // It woke too early.
                    continue;
                }
                break result;
            };
            if waiter.end() {
                return Err(libc::EBADF);
            }
            match result {
                0 => Err(libc::EAGAIN),
                1.. => Ok(()),
                failed => Err(failed.saturating_neg()),
            }
        })
    }

    /// In a coroutine: waits until a descriptor that cannot be tried is ready.
    ///
    /// # Errors
    /// As of [`Parts::wait`].
    pub fn wait_until_ready(
        &self,
        fd: c_int,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        while waiting::poll_now(fd, events) == 0 {
            self.wait(fd, events, deadline)?;
        }
        Ok(())
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// The number of an error that the runtime has.
    pub fn sleep(&self, ns: u64) -> Result<(), c_int> {
        let Way::Coroutine(coroutine) = self.way else {
            return Err(libc::ENOSYS);
        };
        if let Some(result) = self.waiting(|| runtime::sleep(coroutine, ns)) {
            return match result {
                0 => Ok(()),
                failed => Err(failed.saturating_neg()),
            };
        }
        let timer = Passing::timer(ns.max(1)).ok_or(libc::EMFILE)?;
        self.wait(timer.fd(), libc::POLLIN, None)
    }
}

/// Waits for a descriptor by poll(2), by the C library's: it is a cancellation point, as the call is that it waits for.
///
/// # Errors
/// The number of an error, EINTR only where a handler ended the wait as it would have ended the call.
pub fn wait_in_thread(fd: c_int, events: c_short) -> Result<(), c_int> {
    let mut entry = pollfd {
        fd,
        events,
        revents: 0,
    };
    type Poll = unsafe extern "C-unwind" fn(*mut pollfd, libc::nfds_t, c_int) -> c_int;
    loop {
        // SAFETY: one entry; the calling thread has its slot, so that the next functions have been found.
        let result = unsafe { next::of::<Poll>(Function::Poll)(&raw mut entry, 1, -1) };
        match result {
            0.. => return Ok(()),
            _ => match sys::errno() {
                libc::EINTR if signals::handlers_restart() => {}
                errno => return Err(errno),
            },
        }
    }
}
