//! The objects that are loaded, what they define, and what of it stands behind our functions.

pub mod bypasses;
pub mod c_library;
pub mod entries;
pub mod next;
pub mod objects;
pub mod provenance;
pub mod streams;
pub mod symbols;
pub mod uring;
