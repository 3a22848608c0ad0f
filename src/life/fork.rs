//! Fork, in the parent and in the child.

use std::ptr;

use weir_record::region::Region;

use crate::life::{end, inheritance, inject_environment, start, writer};
use crate::linking::{c_library, streams};
use crate::memory::own_heap;
use crate::process::{self, children, copied, header, mapped_region, vfork};
use crate::region::{mapping, slots};
use crate::thread::Live;
use crate::{coop, files, stacks, sys, thread};

/// Called before the calling thread makes a child with memory of its own. If it returns true, [`end_fork`] or
/// [`forked`] must follow.
pub fn begin_fork() -> bool {
    let live = mapped_region().map_or_else(inheritance::live, |region| live(&region));
    let is_first = thread::begin_fork(live);
    if is_first && let Some(header) = header() {
        children::announce(header);
    }
    is_first
}

/// Called in the parent after the fork. Does nothing in the child of a signal handler that forked in the middle of it: that process has
/// begun no fork, and announced no child.
pub fn end_fork(has_failed: bool) {
    if !thread::is_forking() {
        return;
    }
    thread::end_fork();
    if has_failed && let Some(header) = header() {
        children::withdraw(header);
    }
}

/// Whether [`forked`] was already called in this process, a child of a fork that began in generation `generation`.
pub fn is_handled(generation: u32) -> bool {
    match copied::is_copy() {
        Some(is_copy) => !is_copy,
        None => generation != process::generation(),
    }
}

/// Called after the calling thread has changed what is live, during a fork: the child inherits the new numbers.
pub fn inherit_anew() {
    if thread::is_forking() {
        thread::inherit(mapped_region().map_or_else(inheritance::live, |region| live(&region)));
    }
}

/// Called in a child of fork, whose region is still the parent's. The child makes a region of its own at its next call:
/// a child that makes no call costs little. A sealed child stays in the parent's region.
pub fn forked() {
    sys::forget_others();
    sys::with_signals_blocked(|| {
        inheritance::begin(thread::inherited());
        let parents = process::forget_header();
        copied::settle();
        if !parents.is_null() {
            let aside = mapping::set_aside(parents);
            inheritance::set_parents(aside);
            if aside != parents
                && let Some(slot) = thread::home()
            {
                inheritance::set_stand_in(&slot.counters);
            }
        }
        end::forked();
        own_heap::forked();
        slots::forked();
        streams::forked();
        writer::forked();
        files::forked();
        stacks::forked();
        coop::forked();
        vfork::forked();
        inject_environment::forked();
        thread::forget();
        start::forked();
    });
}

/// How many bytes and blocks are live now in the whole region.
fn live(region: &Region<'static>) -> Live {
    inheritance::catch_up(region.header);
    let mut live = Live {
        bytes: region.header.inherited_bytes.get(),
        blocks: region.header.inherited_blocks.get(),
    };
    let slots = slots::visible(region).iter().map(|slot| &slot.counters);
    for counters in slots.chain(region.header.common()) {
        live.bytes = live.bytes.wrapping_add(counters.live_bytes.get());
        live.blocks = live.blocks.wrapping_add(inheritance::live_blocks(counters));
    }
    live
}

/// Registers handlers for forks that reach no hook of ours.
///
/// Our constructor does this, not the first hooked call: that may come from within one of these C library functions,
/// while the lock that they need is held.
pub fn watch() {
    // A library that has looked up the C library's own function calls it, and not our hook.
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
    // SAFETY: the handlers stay mapped, because the library is never unloaded (`-z nodelete`).
    unsafe {
        c_library::__register_atfork(
            Some(before_fork),
            Some(in_parent),
            Some(in_child),
            ptr::null_mut(),
        );
    }
}
