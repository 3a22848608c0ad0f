//! One wait: by the runtime, or by the thread.

use std::cell::Cell;
use std::ffi::{c_int, c_short};

use libc::pollfd;

use super::temporary_fd::Passing;
use super::{WaitMode, runtime, signals};
use crate::files::records::{self, Waiter};
use crate::linking::next;
use crate::process;
use crate::sys;
use crate::sys::Deadline;
use crate::sys::waiting;

/// How many nanoseconds a coroutine waits before the next look, if no event can wake it.
pub const SOON_NS: u64 = 1_000_000;

/// A call that is made in two parts: when it began, and how long it has waited. It is on the stack of the coroutine,
/// and holds no state of a thread. All times are in ticks of [`weir_record::clock`].
pub struct TwoPhaseCall {
    way: WaitMode,
    began_ticks: u64,
    took_ticks: Cell<u64>,
    /// During a wait: the sum so far minus the clock at the wait's beginning.
    wait_ticks: Cell<u64>,
    /// The errno that the program gets.
    errno: Cell<c_int>,
    has_waited: Cell<bool>,
    has_moved: Cell<bool>,
    /// The lower bits of the process's generation when the call began: all that take none of the stack.
    generation: u16,
}

impl TwoPhaseCall {
    /// Begins a call now.
    #[inline(never)]
    pub fn new(way: WaitMode) -> TwoPhaseCall {
        TwoPhaseCall {
            way,
            began_ticks: sys::ticks(),
            took_ticks: Cell::new(0),
            wait_ticks: Cell::new(0),
            errno: Cell::new(sys::errno()),
            has_waited: Cell::new(false),
            has_moved: Cell::new(false),
            generation: process::generation() as u16,
        }
    }

    /// Whether the process is the one that began the call. It is not in a child of fork: there copies of all coroutines may go on.
    pub fn is_of_this_image(&self) -> bool {
        self.generation == process::generation() as u16
    }

    /// Ends the call now.
    #[inline(never)]
    pub fn end(&self) {
        let took_ticks = sys::ticks().wrapping_sub(self.began_ticks);
        self.took_ticks.set(took_ticks);
    }

    /// How the call waits.
    pub fn way(&self) -> WaitMode {
        self.way
    }

    /// When the call began, in ticks.
    pub fn began_ticks(&self) -> u64 {
        self.began_ticks
    }

    /// How long the call took, in ticks; 0 before its end.
    pub fn took_ticks(&self) -> u64 {
        self.took_ticks.get()
    }

    /// Whether the call had to wait.
    pub fn has_waited(&self) -> bool {
        self.has_waited.get()
    }

    /// How long the call waited, in ticks; 0 before its end.
    pub fn wait_ticks(&self) -> u64 {
        self.wait_ticks.get().min(self.took_ticks.get())
    }

    /// The errno that the program gets: that from before the call, unless the call failed.
    pub fn errno(&self) -> c_int {
        self.errno.get()
    }

    /// Called if the call has failed: the program gets the current errno.
    pub fn keep_errno(&self) {
        self.errno.set(sys::errno());
    }

    #[inline(never)]
    fn begin_wait(&self) {
        let waited = self.wait_ticks.get();
        self.wait_ticks.set(waited.wrapping_sub(sys::ticks()));
    }

    #[inline(never)]
    fn end_wait(&self) {
        let waited = self.wait_ticks.get();
        self.wait_ticks.set(waited.wrapping_add(sys::ticks()));
        self.has_waited.set(true);
    }

    /// Does `wait`, all of which is a wait.
    #[inline(always)]
    pub fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.begin_wait();
        let result = wait();
        self.end_wait();
        result
    }

    /// Does `work`. All of it is a wait if `has_waited` then returns true; else none of it.
    #[inline(always)]
    pub fn waiting_if<T>(&self, work: impl FnOnce() -> T, has_waited: impl FnOnce() -> bool) -> T {
        let before = self.wait_ticks.get();
        self.begin_wait();
        let result = work();
        if has_waited() {
            self.end_wait();
        } else {
            self.wait_ticks.set(before);
        }
        result
    }

    /// Called when the call has moved something: it must not be made again from the beginning.
    pub fn has_moved(&self) {
        self.has_moved.set(true);
    }

    /// In a coroutine: whether a call that moves bytes or makes a connection goes on after a wait that failed with this
    /// errno. As in the kernel, it goes on after a handler with SA_RESTART, if the call has no timeout and has done
    /// nothing yet (signal(7)).
    #[inline(never)]
    pub fn goes_on_after(&self, errno: c_int, deadline: Deadline) -> bool {
        errno == libc::EINTR
            && deadline == Deadline::NEVER
            && !self.has_moved.get()
            && signals::handlers_restart_now()
    }

    /// In a coroutine: waits until one of `events` happens on `fd`.
    ///
    /// # Errors
    /// An errno: EAGAIN if the time has passed, EBADF if the descriptor was closed, or the runtime's own.
    #[inline(never)]
    pub fn wait(&self, fd: c_int, events: c_short, deadline: Deadline) -> Result<(), c_int> {
        let waiter = Waiter::new(fd);
        if waiter.is_one_of_several && !runtime::allows_many_waiters() {
            return self.wait_beside_others(waiter, events, deadline);
        }
        let result = self.wait_for(&waiter, fd, events, deadline);
        waiter.end(result)
    }

    /// Waits for a descriptor that others wait for, too, if the runtime does not allow that. It waits for another
    /// descriptor instead: a set that holds only the first.
    #[cold]
    #[inline(never)]
    fn wait_beside_others(
        &self,
        waiter: Waiter,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        let result = match Passing::set_for(waiter.fd(), events) {
            Some(set) => self.wait_for(&waiter, set.fd(), libc::POLLIN, deadline),
            None => self.look_again_soon(&waiter, events, deadline),
        };
        waiter.end(result)
    }

    /// Called if no descriptor is left for a set: polls again and again.
    #[cold]
    #[inline(never)]
    fn look_again_soon(
        &self,
        waiter: &Waiter,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        loop {
            if waiter.was_closed() || waiting::poll_now(waiter.fd(), events) != 0 {
                return Ok(());
            }
            match deadline.left_ns() {
                Some(0) => return Err(libc::EAGAIN),
                left => self.sleep(left.map_or(SOON_NS, |ns| ns.min(SOON_NS)))?,
            }
        }
    }

    /// One wait for `fd`, on behalf of `waiter`. Inlined, because each frame above a wait takes part of a stack that
    /// may be small.
    #[inline(always)]
    fn wait_for(
        &self,
        waiter: &Waiter,
        fd: c_int,
        events: c_short,
        deadline: Deadline,
    ) -> Result<(), c_int> {
        loop {
            let timeout_ms = deadline.left_ms();
            let result = self.waiting(|| runtime::wait_fd(self.way, fd, events, timeout_ms));
            // If it was closed, the number may already be another file's.
            if result > 0 || waiter.was_closed() {
                return Ok(());
            }
            if result < 0 {
                return Err(result.saturating_neg());
            }
            if deadline.has_passed() {
                return Err(libc::EAGAIN);
            }
            // It woke too early.
        }
    }

    /// The same as [`TwoPhaseCall::wait`], for a call that goes on after some signal handlers.
    ///
    /// # Errors
    /// The same.
    #[inline(always)]
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

    /// In a coroutine: waits until a descriptor is ready whose calls cannot be tried without blocking.
    ///
    /// # Errors
    /// The same as of [`TwoPhaseCall::wait`].
    #[inline(always)]
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

    /// Sleeps for all of `ns` nanoseconds: by the runtime's own function if it works, else by a wait for a timer.
    ///
    /// # Errors
    /// An errno: EINTR, or the runtime's own.
    #[inline(never)]
    pub fn sleep(&self, ns: u64) -> Result<(), c_int> {
        let deadline = Deadline::after(Some(ns));
        // At least once, however short the time is: other coroutines must get to run.
        loop {
            let left_ns = deadline.left_ns().unwrap_or(0);
            match self.waiting(|| runtime::sleep(self.way, left_ns)) {
                Some(0) if deadline.has_passed() => return Ok(()),
                // It woke too early.
                Some(0) => {}
                Some(error) if error == -libc::EINTR => return Err(libc::EINTR),
                // The runtime has no such function, or it failed.
                _ => return self.sleep_by_timer(deadline),
            }
        }
    }

    /// Sleeps by a wait for a timer.
    #[inline(never)]
    fn sleep_by_timer(&self, deadline: Deadline) -> Result<(), c_int> {
        match Passing::timer(deadline.left_ns().unwrap_or(0).max(1)) {
            Some(timer) => self.wait(timer.fd(), libc::POLLIN, Deadline::NEVER),
            None => self.sleep_without_timer(deadline),
        }
    }

    /// Sleeps if no descriptor is left for a timer: waits for an event on one of the program's descriptors that is not
    /// expected to happen.
    #[cold]
    #[inline(never)]
    fn sleep_without_timer(&self, deadline: Deadline) -> Result<(), c_int> {
        while !deadline.has_passed() {
            let fd = records::idle(libc::POLLPRI).ok_or(libc::EMFILE)?;
            match self.wait(fd, libc::POLLPRI, deadline) {
                // The event happened, or the descriptor was closed: tries another.
                Ok(()) | Err(libc::EAGAIN | libc::EBADF) => {}
                failed => return failed,
            }
        }
        Ok(())
    }
}

/// Waits for a descriptor by the C library's poll(2), which is a cancellation point, as is the call that follows.
///
/// # Errors
/// An errno. EINTR only if a handler ended the wait, and would have ended the call, too.
pub fn wait_in_thread(fd: c_int, events: c_short) -> Result<(), c_int> {
    let mut entry = pollfd {
        fd,
        events,
        revents: 0,
    };
    loop {
        // SAFETY: the array has one entry. The calling thread has its slot, so the next functions have been found.
        let result = unsafe { next::poll(&raw mut entry, 1, -1) };
        match result {
            0.. => return Ok(()),
            _ => match sys::errno() {
                libc::EINTR if signals::handlers_restart() => {}
                errno => return Err(errno),
            },
        }
    }
}
