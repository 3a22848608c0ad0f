//! Regions made in memory, and the reports that come of them.

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
