//! The life of a process image and its threads: how it starts, forks, executes programs, seals itself and ends.

pub mod attach;
pub mod end;
mod ends_of_children;
pub mod fork;
pub mod inheritance;
pub mod inject_environment;
pub mod programs;
pub mod seal;
pub mod start;
pub mod starts;
pub mod user;
pub mod writer;
