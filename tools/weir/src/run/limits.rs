//! The limits on memory (`ulimit -S -d`, `-v`): for the program, not for weir, which takes as much as it may.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const OF_MEMORY: [Resource; 2] = [Resource::Data, Resource::As];

/// The limits as they were before weir raised its own.
#[derive(Clone)]
pub struct Before([Rlimit; 2]);

/// Raises weir's soft limits to the hard ones.
pub fn raise() -> Before {
    Before(OF_MEMORY.map(|resource| {
        let before = getrlimit(resource);
        let most = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        // Where it cannot be raised, it is as it was.
        let _ = setrlimit(resource, most);
        before
    }))
}

impl Before {
    /// Puts them back; for the child between fork and exec.
    pub fn restore(&self) {
        for (resource, limit) in OF_MEMORY.into_iter().zip(&self.0) {
            let _ = setrlimit(resource, *limit);
        }
    }
}
