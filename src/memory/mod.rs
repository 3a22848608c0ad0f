//! Memory of Weir's own: nothing of it is the program's heap.

pub mod arena;
pub mod bytes;
pub mod giving_up;
pub mod own_heap;
pub mod reserve;
