//! Fork, in the parent and in the child.

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use weir_record::functions::{Family, Function, Role};
use weir_record::region::Region;
use weir_record::slot::Counters;

use crate::life::{end, inheritance, inject_environment, start, writer};
use crate::linking::c_library;
use crate::memory::own_heap;
use crate::process::{self, children, copied, header, mapped_region, vfork};
use crate::region::{mapping, slots};
use crate::thread::Live;
use crate::{coop, files, sys, thread};

/// The calling thread is about to make a child with memory of its own. True where [`end_fork`] or [`forked`] must follow.
pub fn begin_fork() -> bool {
    let live = mapped_region().map_or_else(inheritance::live, |region| live(&region));
    let is_first = thread::begin_fork(live);
    if is_first && let Some(header) = header() {
        children::announce(header);
    }
    is_first
}

/// It has made one, or failed to.
pub fn end_fork(has_failed: bool) {
    thread::end_fork();
    if has_failed && let Some(header) = header() {
        children::withdraw(header);
    }
}

/// How many images this process and those that it was forked from have had.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// What is another number in a forked child from when it has been told that it is one.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Whether the calling process, a child of a fork that began in this generation, has been told.
pub fn is_told(generation: u32) -> bool {
    match copied::is_copy() {
        Some(is_copy) => !is_copy,
        None => generation != self::generation(),
    }
}

/// The calling thread, which forks, has changed what is live: the child inherits that too.
pub fn inherit_anew() {
    if thread::is_forking() {
        thread::inherit(mapped_region().map_or_else(inheritance::live, |region| live(&region)));
    }
}

/// In a child of fork: the region is the parent's. The child begins one of its own at its next call; a child
/// that makes none costs little more. A sealed one stays in the parent's.
pub fn forked() {
    sys::with_signals_blocked(|| {
        inheritance::begin(thread::inherited());
        GENERATION.fetch_add(1, Ordering::Relaxed);
        copied::settle();
        let parents = process::forget_header();
        if !parents.is_null() {
            inheritance::set_parents(mapping::set_aside(parents));
        }
        end::forked();
        own_heap::forked();
        slots::forked();
        writer::forked();
        files::forked();
        coop::forked();
        vfork::forked();
        inject_environment::forked();
        thread::forget();
        start::forked();
    });
}

/// What is live now, in the whole region.
fn live(region: &Region<'static>) -> Live {
    let mut live = Live {
        bytes: region.header.inherited_bytes.get(),
        blocks: region.header.inherited_blocks.get(),
    };
    let slots = slots::visible(region).iter().map(|slot| &slot.counters);
    for counters in slots.chain(region.header.common()) {
        live.bytes = live.bytes.wrapping_add(counters.live_bytes.get());
        live.blocks = live.blocks.wrapping_add(live_blocks(counters));
    }
    live
}

fn live_blocks(counters: &Counters) -> u64 {
    // By reference: a copy of the table would take a kilobyte of a stack that may be small.
    let alloc = Function::ALL
        .iter()
        .filter(|function| function.row().family == Family::Alloc);
    alloc.fold(counters.blocks_adjustment.get(), |blocks, &function| {
        let of = counters.of(function);
        match function.row().role {
            Role::Allocate => blocks
                .wrapping_add(of.calls.get())
                .wrapping_sub(of.errors.get()),
            Role::Free => blocks.wrapping_sub(of.calls.get()),
            _ => blocks,
        }
    })
}

/// Asks to be told of forks that do not come by our hooks.
///
/// From our constructor, not from the first call: that may come from within one of these very functions, with the
/// lock held that they take.
pub fn watch() {
    // Those of a library that has looked up the C library's own function begin here.
    extern "C" fn before_fork() {
        if begin_fork() {
            thread::set_fork_by_handler(true);
        }
    }
    extern "C" fn in_parent() {
        if thread::set_fork_by_handler(false) {
            end_fork(false);
        }
    }
    extern "C" fn in_child() {
        if thread::is_forking() {
            forked();
        }
    }
    // SAFETY: the handlers stay where they are: the library is never unloaded (`-z nodelete`).
    unsafe {
        c_library::__register_atfork(
            Some(before_fork),
            Some(in_parent),
            Some(in_child),
            ptr::null_mut(),
        );
    }
}
