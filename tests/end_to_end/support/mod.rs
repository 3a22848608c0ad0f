//! What the tests share.
//!
//! ```text
//! built     Weir, built once; the examples' tests include this module, too
//! weir      the library and the command under test
//! victim    C programs, compiled once
//! finish    a command to its end
//! program   a program to run, how to run it, and its outcome
//! files     what a program leaves in its folder
//! real      common programs with fixed inputs
//! luajit    a C project to build
//! regrtest  CPython's own tests
//! scarce    surroundings in which something is scarce
//! strace    system calls, and who made them
//! heaptrack allocations
//! terminal  a terminal, what is typed there and what is seen
//! recover   what a killed program left behind
//! witness   a victim's own account, and its comparison with a report
//! ```

pub mod built;
pub mod files;
pub mod finish;
pub mod heaptrack;
pub mod luajit;
pub mod program;
pub mod real;
pub mod recover;
pub mod regrtest;
pub mod scarce;
pub mod strace;
pub mod terminal;
pub mod victim;
pub mod weir;
pub mod witness;

pub use files::files;
pub use finish::{finish, patient, succeed, wait_until};
pub use program::{Mode, Outcome, Program, copy_program, scratch};
pub use victim::{NARROW_COMPILER, victim};
pub use witness::Account;
