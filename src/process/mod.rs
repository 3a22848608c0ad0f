//! Which process this is: the one that the region describes, a forked child, or a child of vfork in its parent's
//! memory.

pub mod children;
pub mod copied;
mod header;
pub mod modes;
pub mod namespaces;
pub mod vfork;

pub use header::{
    NAMELESS, Whose, forget_header, generation, header, is_sharer, is_vfork_child, known_pid,
    mapped_region, owner_of_memory, region, region_at, set_header, whose,
};
