//! How a coroutine runtime tells [Weir](https://docs.rs/weir) about itself, from Rust.
//!
//! A blocking call of the C library that is made inside a coroutine then waits by the runtime, and so lets other
//! coroutines run: `std::net`, or a client library in C, needs no change. Nothing is linked. What is not run
//! under Weir is told so by [`register`], and runs as it does anyway.
//!
//! A runtime implements [`Runtime`], for a type that need not have values, and registers it once:
//!
//! ```
//! use std::os::fd::RawFd;
//! use std::time::Duration;
//! use std::{io, thread};
//! use weir_coop::{Events, Id, NotRegistered, Runtime, Sleep};
//!
//! struct Mine;
//!
//! impl Runtime for Mine {
//!     const NAME: &std::ffi::CStr = c"mine";
//!     const SLEEP: Option<Sleep> = Some(sleep);
//!
//!     fn current() -> Option<Id> {
//!         None // no coroutine runs on this thread
//!     }
//!
//!     fn wait_fd(fd: RawFd, events: Events, timeout: Option<Duration>) -> io::Result<Events> {
//!         // Note down who waits for what, let others run, and say what has happened.
//!         # let _ = (fd, timeout);
//!         Ok(events)
//!     }
//! }
//!
//! fn sleep(time: Duration) -> io::Result<()> {
//!     // The same, with nothing to wait for.
//!     # thread::sleep(time);
//!     Ok(())
//! }
//!
//! match weir_coop::register::<Mine>() {
//!     Ok(()) => println!("blocking calls let other coroutines run"),
//!     Err(NotRegistered::Absent) => println!("blocking calls block"),
//!     Err(other) => panic!("{other}"),
//! }
//! ```
//!
//! # Panics
//!
//! A panic of the runtime's functions ends the process: there are C functions above them, which cannot be unwound,
//! and a scheduler that has panicked does not wake those who wait. For the same reason a coroutine
//! that waits must not be unwound from outside (as corosensei does with one that is dropped while it is
//! suspended): let it run to its end, or leave it.
//!
//! ```text
//! runtime   what a runtime implements
//! id        which coroutine
//! events    what a descriptor is waited for
//! name      where a coroutine's name is written
//! work      what may block, and is to be done elsewhere
//! table     what C sees of a runtime
//! weir      what Weir offers: register, enable, ended
//! ```

mod events;
mod id;
mod name;
mod runtime;
mod table;
mod weir;
mod work;

pub use events::{Events, PollFd};
pub use id::Id;
pub use name::Name;
pub use runtime::{
    CoroutineName, FdClosing, Options, Poll, RunBlocking, Runtime, Sleep, StackBounds,
};
pub use weir::{NotEnabled, NotRegistered, Scope, enable, ended, register};
pub use work::{Done, NotDone, Work};
