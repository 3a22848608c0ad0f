//! Faults that were found in programs outside these tests, a file for each kind.

mod alone;
mod arguments;
mod bounds;
mod coroutines;
mod damaged_heaps;
mod doctor;
mod ends;
mod foreign;
mod forks;
mod numbers;
mod other_libraries;
mod own_state;
mod regions;
mod stacks;
mod taken;
mod users;
mod versions;
mod wrong_unwinding;
