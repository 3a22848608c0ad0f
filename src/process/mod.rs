//! Which process this is: the one that the region describes, a forked child, or a child of vfork in its parent's memory.

pub mod children;
pub mod copied;
pub mod vfork;
