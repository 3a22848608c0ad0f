//! `libweir.so`: what a program calls instead of the C library.
//!
//! ```text
//! hooks         the exported functions, the constructor, what weir.h names
//! recording     counts a call, times it, calls the next function
//! life          how an image and its threads start, fork, execute, seal themselves, end; the writer
//! coop          calls that may block, in two parts: the wait and the transfer
//! stacks        call stacks: which way the program came to a call
//! files         which file or socket a call is about
//! region        the region's memory, and which thread has which slot of it
//! program_memory  what the arguments of calls lead to
//! linking       the loaded objects, the functions behind ours, stdio's tables
//! thread        the state of one thread: its slot, its guard
//! process       which process this is, and the region that it counts in
//! environment   settings and the like, read without allocating
//! memory        memory of Weir's own
//! sys           the kernel, asked directly
//! freestanding  what compiled Rust takes from the C library otherwise
//! arch          what depends on the processor: all assembly
//! ```
//!
//! A module uses those of its own layer and of the layers below it, never one above; a test holds it. What is recorded lands in
//! memory described by `weir-record`; who reads that is none of a hook's business.
//!
//! The rules of a guest: nothing here allocates from the program's heap, keeps a descriptor open,
//! takes a signal, uses stdio, or panics in a hook.

#![cfg_attr(
    test,
    expect(
        dead_code,
        reason = "unit tests do not export the hooks, and nobody calls them"
    )
)]

mod arch;
mod coop;
mod environment;
mod files;
mod freestanding;
mod hooks;
mod life;
mod linking;
mod memory;
mod process;
mod program_memory;
mod recording;
mod region;
mod stacks;
mod sys;
mod thread;
