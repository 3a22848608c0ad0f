//! Runs every example as a reader of the page does, and holds the page to what they do.

mod arena;
mod bootstrap_arena;
#[path = "../../../tests/end_to_end/support/built.rs"]
mod built;
mod chain;
mod count_malloc;
mod exercises;
mod guard;
mod in_c;
mod page;
mod run_time;
mod support;
mod traps;
mod yielding_read;
