//! Descriptors of our own that stand in for what a coroutine waits for: a set of others, or a time.

use std::ffi::{c_int, c_short};

use super::runtime;
use crate::files::records;
use crate::sys::waiting;

/// One that the runtime forgets, and that is closed, when it is dropped.
pub struct Passing(waiting::Passing);

impl Passing {
    /// One that can be read once so many nanoseconds have passed.
    pub fn timer(ns: u64) -> Option<Passing> {
        waiting::Passing::timer(ns).map(Passing)
    }

    /// A set of descriptors to wait for.
    pub fn set() -> Option<Passing> {
        waiting::Passing::set().map(Passing)
    }

    /// A set with this descriptor alone, to be waited for in its place; none where that cannot be had.
    pub fn set_for(fd: c_int, events: c_short) -> Option<Passing> {
        let set = Passing::set().filter(|set| set.add(fd, events) == 0)?;
        records::stands_for(set.fd(), Some(fd));
        Some(set)
    }

    /// Adds a descriptor to a set. Less than 0 is the number of an error, negated.
    pub fn add(&self, fd: c_int, events: c_short) -> isize {
        self.0.add(fd, events)
    }

    /// The descriptor.
    pub fn fd(&self) -> c_int {
        self.0.fd()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        records::stands_for(self.fd(), None);
        records::closing(self.fd());
        runtime::fd_closing(self.fd());
    }
}
