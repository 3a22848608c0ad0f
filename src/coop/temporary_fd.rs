//! Descriptors of our own that a coroutine waits for instead of several others, or of a time.

use std::ffi::{c_int, c_short};

use super::runtime;
use crate::files::records;
use crate::sys::waiting;

/// Such a descriptor. When it is dropped, the runtime forgets it, and it is closed.
pub struct Passing(waiting::Passing);

impl Passing {
    /// Makes a timer that becomes readable after `ns` nanoseconds. `None` if that fails.
    pub fn timer(ns: u64) -> Option<Passing> {
        waiting::Passing::timer(ns).map(Passing)
    }

    /// Makes an empty set of descriptors to wait for. `None` if that fails.
    pub fn set() -> Option<Passing> {
        waiting::Passing::set().map(Passing)
    }

    /// Makes a set with this one descriptor, to wait for instead of it. `None` if that fails.
    pub fn set_for(fd: c_int, events: c_short) -> Option<Passing> {
        let set = Passing::set().filter(|set| set.add(fd, events) == 0)?;
        records::stands_for(set.fd(), Some(fd));
        Some(set)
    }

    /// Adds a descriptor to a set. Returns 0 or a negative errno.
    pub fn add(&self, fd: c_int, events: c_short) -> isize {
        self.0.add(fd, events)
    }

    /// Returns the descriptor.
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
