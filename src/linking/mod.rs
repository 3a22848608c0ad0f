//! The loaded objects, what they define, and which of their functions are behind ours.

pub mod block_size;
pub mod bound;
pub mod bypasses;
pub mod c_library;
pub mod entries;
pub mod frames;
pub mod linker;
pub mod next;
pub mod objects;
pub mod provenance;
pub mod single_thread;
pub mod streams;
pub mod symbols;
pub mod uring;
