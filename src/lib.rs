//! `libweir.so`: what a program calls instead of the C library.
//!
//! ```text
//! hooks/       the interposed functions
//!   └ recording   count a call, time it, call the next function
//! coop         calls that may block, in two parts: the wait and the transfer
//! files        which file or socket a call is about
//! streams      stdio's streams, from inside
//! next         the functions behind ours
//! c_library    those of the C library that we call for ourselves
//! symbols      what an object's table of symbols says
//! objects      the objects that are loaded
//! thread       the state of one thread: its slot, its guard
//! image        the state of the process image: start, fork, end
//!   ├ environment   settings and the like, read without allocating
//!   ├ mapping       the region's memory
//!   ├ provenance    which object each function was found in
//!   ├ secure        whether the settings may be another user's
//!   ├ slots         which thread has which slot
//!   ├ copied        whether this is a child that nobody has told
//!   ├ bypasses      objects that call the allocator behind ours
//!   ├ uring         whether there is an io_uring, which passes us by
//!   └ starts        the programs that the process starts
//! follow       into the environments that programs are given, and out of them
//! programs     what programs are like: whether they can load us
//! writer       the writer where it lives in the program
//!   └ telling     what is told to the regions of children that were killed
//! descriptors  a table with a place for every descriptor
//! giving_up    work that is given up where it fails
//! arena        memory for what the C library allocates on our behalf
//! own_heap     memory for what we allocate
//! reserve      memory for it where the kernel gives none
//! freestanding what compiled Rust takes from the C library otherwise
//! sys          the kernel, asked directly
//! ```
//!
//! A call goes down this list and never up. What it records lands in memory described by
//! `weir-record`; who reads that is none of a hook's business.
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

mod coop;
mod environment;
mod files;
mod freestanding;
mod hooks;
mod life;
mod linking;
mod memory;
mod process;
mod recording;
mod region;
mod sys;
mod thread;
