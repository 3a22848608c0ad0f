//! Runs every example as a reader of the page does, and holds the page to what they do.

mod arena;
mod bootstrap_arena;
mod chain;
mod count_malloc;
mod guard;
mod page;
mod run_time;
mod support;
mod traps;
