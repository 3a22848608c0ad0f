//! The life of a process image: how it starts, forks, executes programs and ends.

pub mod follow;
pub mod image;
pub mod programs;
pub mod starts;
mod telling;
pub mod writer;
