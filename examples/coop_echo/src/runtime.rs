//! What Weir has to know about the scheduler: all that makes blocking calls of coroutines let others run.

use std::ffi::CStr;
use std::fmt::Write;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::RawFd;
use std::time::Duration;

use weir_coop::{
    CoroutineName, Events, FdClosing, Id, Name, NotRegistered, Options, Runtime, Sleep,
};

use crate::scheduler;

struct Coroutines;

impl Runtime for Coroutines {
    const NAME: &'static CStr = c"coop_echo";
    const OPTIONS: Options = Options::MANY_WAITERS;
    const SLEEP: Option<Sleep> = Some(scheduler::sleep);
    const FD_CLOSING: Option<FdClosing> = Some(scheduler::fd_closing);
    const COROUTINE_NAME: Option<CoroutineName> = Some(write_name);

    fn current() -> Option<Id> {
        scheduler::current()
    }

    fn wait_fd(fd: RawFd, events: Events, timeout: Option<Duration>) -> io::Result<Events> {
        scheduler::wait_fd(fd, events, timeout)
    }
}

/// Registers the scheduler. False, where the program runs without Weir, so that what blocks holds the thread.
pub fn register() -> Result<bool, NotRegistered> {
    match weir_coop::register::<Coroutines>() {
        Ok(()) => Ok(true),
        Err(NotRegistered::Absent) => Ok(false),
        Err(other) => Err(other),
    }
}

/// What a coroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Acceptor = 2,
    Connection = 4,
    Starter = 6,
    Client = 8,
    Ticker = 10,
}

/// Numbers of roles are even, since pointers are, and below this.
const ROLE: usize = 16;

const ROLES: [(Role, &str); 5] = [
    (Role::Acceptor, "acceptor"),
    (Role::Connection, "connection"),
    (Role::Starter, "starter"),
    (Role::Client, "client"),
    (Role::Ticker, "ticker"),
];

impl Role {
    /// The id of a coroutine is its name, as a number: so there is nothing to look up when Weir asks.
    pub fn id(self, number: usize) -> Id {
        Id::from_number(NonZeroUsize::new(number * ROLE + self as usize).expect("no role is 0"))
    }
}

fn write_name(id: Id, name: &mut Name<'_>) {
    let id = id.number().get();
    if let Some((_, role)) = ROLES.iter().find(|(role, _)| *role as usize == id % ROLE) {
        // Nothing is refused: what is too long is cut.
        let _ = write!(name, "{role} {}", id / ROLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_even_and_all_different() {
        let ids = ROLES.map(|(role, _)| [0, 1, 9999].map(|number| role.id(number)));
        let mut ids = ids.concat();
        assert!(ids.iter().all(|id| id.number().get() % 2 == 0));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 3 * ROLES.len());
    }
}
