//! Which process is meant where ids are told from inside of pid namespaces: equal ids in two of them are two processes.

/// A pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Weir's own.
    Here,
    /// Another one, by the number of its inode (namespaces(7)).
    Other(u64),
    /// Not weir's own, and its number is not known.
    Elsewhere,
    /// Any.
    Unknown,
}

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
}

impl Identity {
    /// That of a process of which nothing is known but these ids of its own.
    pub fn unknown(pid: u32, parent: u32) -> Identity {
        Identity {
            namespace: Namespace::Unknown,
            pid,
            parent,
            here: None,
        }
    }
}
