//! Regions made in memory, and the reports made from them.

mod emit;
mod figures;
mod heap;
mod hostile;
mod image;
mod latency;
mod memory;
mod merge;
mod running;
mod schema;
