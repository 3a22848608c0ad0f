//! The interposed functions.
//!
//! Each is a row of [`weir_record::functions`] and a body here: it hands the call to
//! [`recording`](crate::recording), with the next function to call in its place. They depend on nothing
//! that must have run before: the first call of the process may reach any of them.
//!
//! `extern "C-unwind"`, because pthread_cancel unwinds through those that are cancellation points.
//! In unit tests they are not exported, or the test runner would allocate by them.

mod alloc;
mod file;
mod process;
