//! What a descriptor is waited for, as of `poll(2)`.

use libc::{c_int, c_short};
use std::ops::{BitAnd, BitOr, BitOrAssign};
use std::os::fd::RawFd;

/// A set of what can happen to a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Events(c_short);

impl Events {
    /// Nothing: as an answer, that the time has passed.
    pub const NONE: Self = Self(0);
    /// There is something to read.
    pub const IN: Self = Self(libc::POLLIN);
    /// There is something urgent to read.
    pub const PRI: Self = Self(libc::POLLPRI);
    /// There is room to write.
    pub const OUT: Self = Self(libc::POLLOUT);
    /// The peer writes no more.
    pub const RDHUP: Self = Self(libc::POLLRDHUP);
    /// An error; comes unasked.
    pub const ERR: Self = Self(libc::POLLERR);
    /// The other end is gone; comes unasked.
    pub const HUP: Self = Self(libc::POLLHUP);
    /// There is no such descriptor; comes unasked.
    pub const NVAL: Self = Self(libc::POLLNVAL);

    /// The set of these bits, whether there are names for them or not.
    pub const fn from_bits(bits: c_short) -> Self {
        Self(bits)
    }

    /// The bits, as `poll` has them.
    pub const fn bits(self) -> c_short {
        self.0
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `others` are in the set.
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether some of `others` are in the set.
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// As an answer in C, where a negative number would be an error.
    pub(crate) fn as_answer(self) -> c_int {
        c_int::from(self.0.cast_unsigned())
    }
}

impl BitOr for Events {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl BitOrAssign for Events {
    fn bitor_assign(&mut self, others: Self) {
        self.0 |= others.0;
    }
}

impl BitAnd for Events {
    type Output = Self;

    fn bitand(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }
}

/// One of several descriptors that are waited for: `struct pollfd`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PollFd {
    /// The descriptor; a negative one is to be passed over.
    pub fd: RawFd,
    /// What to wait for.
    pub events: Events,
    /// What has happened: the answer.
    pub revents: Events,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn sets() {
        let both = Events::IN | Events::OUT;
        assert!(both.contains(Events::IN) && both.intersects(Events::OUT | Events::HUP));
        assert!(!Events::IN.contains(both) && !Events::IN.intersects(Events::OUT));
        assert_eq!(both & Events::OUT, Events::OUT);
        assert!(Events::NONE.is_empty() && !both.is_empty());
    }

    #[test]
    fn no_event_is_an_error() {
        assert!(Events::from_bits(c_short::MIN).as_answer() > 0);
    }

    #[test]
    fn is_the_c_library_s_pollfd() {
        assert_eq!(size_of::<PollFd>(), size_of::<libc::pollfd>());
        assert_eq!(offset_of!(PollFd, fd), offset_of!(libc::pollfd, fd));
        assert_eq!(offset_of!(PollFd, events), offset_of!(libc::pollfd, events));
        assert_eq!(
            offset_of!(PollFd, revents),
            offset_of!(libc::pollfd, revents)
        );
    }
}
