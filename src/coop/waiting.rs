//! One wait: by the runtime, or by the thread.

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::ptr::NonNull;

use libc::pollfd;
use weir_record::functions::Function;

use super::passing::Passing;
use super::records::{self, Waiter};
use super::{Way, runtime, signals};
use crate::sys::waiting;
use crate::{next, sys};

/// How long a coroutine waits before it looks again, where it cannot be told when something happens.
pub const SOON_NS: u64 = 1_000_000;

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
    has_moved: Cell<bool>,
    wait_ticks: Cell<u64>,
}

impl Parts {
    /// A call that has not waited yet.
    pub fn new(way: Way) -> Parts {
        Parts {
            way,
            has_waited: Cell::new(false),
            has_moved: Cell::new(false),
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

    /// It has moved something: it is not made again from the beginning.
    pub fn has_moved(&self) {
        self.has_moved.set(true);
    }

    /// In a coroutine: whether a call that moves bytes or makes a connection goes on after a wait that failed with this
    /// errno, as the kernel's does after a handler with SA_RESTART: where it has no bound, and has done nothing yet
    /// (signal(7)).
    pub fn goes_on_after(&self, errno: c_int, deadline: Deadline) -> bool {
        errno == libc::EINTR
            && deadline.is_none()
            && !self.has_moved.get()
            && signals::handlers_restart_now()
    }

    /// In a coroutine: waits until one of `events` happens on `fd`.
    ///
    /// # Errors
    /// The number of an error: EAGAIN where the time has passed, EBADF where the descriptor was closed, or what
    /// the runtime says.
    #[inline(never)]
    pub fn wait(&self, fd: c_int, events: c_short, deadline: Deadline) -> Result<(), c_int> {
        let Way::Coroutine(coroutine) = self.way else {
            return Err(libc::ENOSYS);
        };
        let waiter = Waiter::new(fd);
        let is_shared = waiter.is_one_of_several && !runtime::allows_many_waiters();
        let result = if is_shared {
            self.wait_beside_others(coroutine, &waiter, events, deadline)
        } else {
            self.wait_for(coroutine, &waiter, fd, events, deadline)
        };
        if waiter.end() {
            return Err(libc::EBADF);
        }
        result
    }

    /// Waits for what others wait for, by a runtime that does not allow that: by another descriptor for the same, a set
    /// with it alone.
    #[inline(never)]
    fn wait_beside_others(
        &self,
        coroutine: NonNull<c_void>,
        waiter: &Waiter,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        if let Some(set) = Passing::set_for(waiter.fd(), events) {
            return self.wait_for(coroutine, waiter, set.fd(), libc::POLLIN, deadline);
        }
        // None is left: looks again soon.
        loop {
            if waiter.was_closed() || waiting::poll_now(waiter.fd(), events) != 0 {
                return Ok(());
            }
            match left_ns(deadline) {
                Some(0) => return Err(libc::EAGAIN),
                left => self.sleep(left.map_or(SOON_NS, |ns| ns.min(SOON_NS)))?,
            }
        }
    }

    /// One wait for this descriptor, for the sake of `waiter`'s.
    #[inline(always)]
    fn wait_for(
        &self,
        coroutine: NonNull<c_void>,
        waiter: &Waiter,
        fd: c_int,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        loop {
            let wait = || runtime::wait_fd(coroutine, fd, events, left_ms(deadline));
            match self.waiting(wait) {
                // The number may be another's by now.
                _ if waiter.was_closed() => return Ok(()),
                0 if left_ns(deadline) == Some(0) => return Err(libc::EAGAIN),
                // It woke too early.
                0 => {}
                1.. => return Ok(()),
                failed => return Err(failed.saturating_neg()),
            }
        }
    }

    /// The same as [`Parts::wait`] for a call that goes on after some handlers of signals.
    ///
    /// # Errors
    /// As there.
    pub fn wait_to_transfer(
        &self,
        fd: c_int,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        loop {
            match self.wait(fd, events, deadline) {
                Err(errno) if self.goes_on_after(errno, deadline) => {}
                result => return result,
            }
        }
    }

    /// In a coroutine: waits until a descriptor that cannot be tried is ready.
    ///
    /// # Errors
    /// As of [`Parts::wait`].
    #[inline(never)]
    pub fn wait_until_ready(
        &self,
        fd: c_int,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        while waiting::poll_now(fd, events) == 0 {
            self.wait_to_transfer(fd, events, deadline)?;
        }
        Ok(())
    }

    /// Lets time pass, all of it: by the runtime's own function, where that does it; else by waiting for a timer.
    ///
    /// # Errors
    /// The number of an error: EINTR, or what the runtime says.
    pub fn sleep(&self, ns: u64) -> Result<(), c_int> {
        let Way::Coroutine(coroutine) = self.way else {
            return Err(libc::ENOSYS);
        };
        let deadline = deadline_in(Some(ns));
        // At least once: others are to run, however short it is.
        loop {
            let left = left_ns(deadline).unwrap_or(0);
            match self.waiting(|| runtime::sleep(coroutine, left)) {
                Some(0) if left_ns(deadline) == Some(0) => return Ok(()),
                // It woke too early.
                Some(0) => {}
                Some(error) if error == -libc::EINTR => return Err(libc::EINTR),
                // It has none, or it cannot do it.
                _ => break,
            }
        }
        match Passing::timer(left_ns(deadline).unwrap_or(0).max(1)) {
            Some(timer) => self.wait(timer.fd(), libc::POLLIN, None),
            None => self.sleep_without_timer(deadline),
        }
    }

    /// Lets time pass where no descriptor is left for a timer: waits for what does not happen to one of the program's.
    #[cold]
    #[inline(never)]
    fn sleep_without_timer(&self, deadline: Deadline) -> Result<(), c_int> {
        while left_ns(deadline) != Some(0) {
            let fd = records::idle(libc::POLLPRI).ok_or(libc::EMFILE)?;
            match self.wait(fd, libc::POLLPRI, deadline) {
                // It happened, or it was closed: another one.
                Ok(()) | Err(libc::EAGAIN | libc::EBADF) => {}
                failed => return failed,
            }
        }
        Ok(())
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
