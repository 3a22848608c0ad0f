//! What the tests share.
//!
//! ```text
//! weir      the library and the command under test, built once
//! victim    C programs, compiled once
//! program   a program to run, and how; what came of it
//! real      programs that many people run
//! scarce    too little of something
//! strace    system calls, and whose they were
//! heaptrack allocations
//! recover   what a killed program left
//! witness   a victim's own account, and its comparison with a report
//! ```

pub mod heaptrack;
pub mod program;
pub mod real;
pub mod recover;
pub mod scarce;
pub mod strace;
pub mod victim;
pub mod weir;
pub mod witness;

pub use program::{Mode, Outcome, Program, scratch};
pub use victim::victim;
pub use witness::Account;
