//! Memory of Weir's own: none of it is from the program's heap.

pub mod arena;
pub mod bytes;
pub mod giving_up;
pub mod marked_blocks;
pub mod own_heap;
pub mod reserve;
pub mod versioned;
