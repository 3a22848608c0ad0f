//! The region: its memory, and which thread has which slot of it.

pub mod mapping;
pub mod slots;
