//! Which process is meant where ids come from inside of pid namespaces: equal ids in two of them are two processes.

use std::sync::atomic::Ordering;

use weir_record::region::Header;

use super::namespaces::Namespace;

/// The ids of the process of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its own pid namespace.
    pub namespace: Namespace,
    /// Its id there.
    pub pid: u32,
    /// The id of its parent there; 0 where that is in another one.
    pub parent: u32,
    /// Its id in weir's namespace, if that is known.
    pub here: Option<u32>,
    /// The time-stamp counter when the image began; 0 where that is not known.
    pub began_ticks: u64,
}

impl Identity {
    /// That of a process of which nothing is known but these ids of its own.
    pub fn unknown(pid: u32, parent: u32) -> Identity {
        Identity {
            namespace: Namespace::Unknown,
            pid,
            parent,
            here: None,
            began_ticks: 0,
        }
    }

    /// As its region has it.
    pub fn noted(header: &Header) -> Identity {
        let pid = header.pid.load(Ordering::Relaxed);
        let parent = header.parent_pid.load(Ordering::Relaxed);
        Identity {
            namespace: Namespace::noted(header).unwrap_or(Namespace::Unknown),
            began_ticks: header.started.get().ticks,
            ..Identity::unknown(pid, parent)
        }
    }
}
