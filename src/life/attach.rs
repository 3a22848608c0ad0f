//! Finds what a call counts into if its thread shows no slot. A thread is attached at its first call, and leaves its
//! slot when it ends.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use weir_record::slot::{Counters, Slot};

use crate::life::{fork, start, writer};
use crate::linking::c_library;
use crate::process::{self, copied};
use crate::region::{self, slots};
use crate::thread::{self, Attachment, Guard};
use crate::{stacks, sys};

/// What a call counts into if the thread shows no slot.
#[derive(Clone, Copy)]
pub enum Target {
    /// The thread's own slot. The thread was just attached, or its slot is hidden.
    Own(&'static Slot),
    /// The common counters.
    Common(&'static Counters),
    /// Nothing: Weir itself makes the call. With the thread's slot, if it has one.
    Ours(Option<&'static Slot>),
    /// Nothing: Weir could not start.
    Nothing,
}

/// The common counters, if there is a region.
fn common() -> Target {
    region::common().map_or(Target::Nothing, Target::Common)
}

/// Returns what the calling thread, which shows no slot, counts into. Attaches the thread if it is new.
#[cold]
#[inline(never)]
pub fn target() -> Target {
    if !sys::has_thread_area() {
        return Target::Nothing;
    }
    let is_copy = copied::is_copy() == Some(true);
    match thread::guard() {
        // A bare system call has made this process, so its parent could prepare nothing.
        Guard::Open if is_copy => {
            fork::begin_fork();
            fork::forked();
        }
        Guard::Open => {}
        Guard::Forking if is_copy => fork::forked(),
        Guard::Forking => return target_at_home(),
        Guard::Ours => return Target::Ours(thread::home()),
        Guard::Attaching if thread::is_guard_left() => thread::open_guard(),
        Guard::Attaching => return common(),
    }
    match thread::attachment() {
        Attachment::Unknown => sys::with_errno_kept(attach),
        _ => target_at_home(),
    }
}

/// Returns what a thread that was attached counts into.
fn target_at_home() -> Target {
    match thread::attachment() {
        Attachment::Slot => thread::home().map_or(Target::Nothing, Target::Own),
        Attachment::Common => common(),
        Attachment::Unknown | Attachment::Nothing => Target::Nothing,
    }
}

/// The same for `free(NULL)`, which does nothing. The C library calls it at the very end of a thread, after the last
/// call of ours that could release a slot. So a new thread gets no slot for it.
pub fn target_for_free_null() -> Target {
    let is_new = process::header().is_some()
        && sys::has_thread_area()
        && thread::attachment() == Attachment::Unknown
        && !thread::is_guarded()
        && copied::is_copy() != Some(true);
    if is_new { common() } else { target() }
}

/// Attaches the calling thread, if that was not done.
pub fn attach_early() {
    if thread::slot().is_none() {
        target();
    }
}

/// Attaches the calling thread, whose guard is open.
fn attach() -> Target {
    thread::begin_attaching();
    let generation = process::generation();
    let target = match start::start() {
        None => Target::Nothing,
        // Signals are blocked: a signal handler may fork and return in the child, which has other slots.
        Some(header) => match sys::with_signals_blocked(slots::claim) {
            Some(slot) => {
                watch_exit_of_this_thread();
                Target::Own(slot)
            }
            None => {
                header.threads_without_slot.add_shared(1);
                common()
            }
        },
    };
    // A signal handler has forked, and this is the child.
    if process::generation() != generation {
        return attach();
    }
    match target {
        Target::Own(slot) => thread::attached(Attachment::Slot, Some(slot)),
        Target::Common(_) => thread::attached(Attachment::Common, None),
        _ => thread::attached(Attachment::Nothing, None),
    }
    // The same, a moment later: what this has stored is the parent's.
    if process::generation() != generation {
        thread::forget();
        return attach();
    }
    target
}

static EXIT_KEY: AtomicU32 = AtomicU32::new(NO_KEY);
const NO_KEY: u32 = u32::MAX;

/// Makes threads release their slots when they end. Returns false if that is not possible.
pub fn watch_exits() -> bool {
    if EXIT_KEY.load(Ordering::Relaxed) != NO_KEY {
        return true;
    }
    let mut key = 0;
    // SAFETY: `key` may be written; `on_exit` has the type of a destructor, and is never unloaded.
    if unsafe { c_library::pthread_key_create(&raw mut key, Some(on_exit)) } != Some(0) {
        return false;
    }
    EXIT_KEY.store(key, Ordering::Relaxed);
    true
}

/// Makes the C library call [`on_exit`] at the end of the calling thread.
fn watch_exit_of_this_thread() {
    set_exit_round(1);
}

fn set_exit_round(round: usize) {
    let key = EXIT_KEY.load(Ordering::Relaxed);
    if key != NO_KEY {
        // SAFETY: the key was created, and is never deleted. The value is a number, and is never dereferenced.
        let set =
            || unsafe { c_library::pthread_setspecific(key, std::ptr::without_provenance(round)) };
        if key < KEYS_AT_ONCE {
            set();
        } else {
            thread::ours(set);
        }
    }
}

/// The number of keys for whose values every thread has memory (PTHREAD_KEY_2NDLEVEL_SIZE). The C library allocates for
/// other keys.
const KEYS_AT_ONCE: u32 = 32;

/// PTHREAD_DESTRUCTOR_ITERATIONS of the GNU C library (bits/local_lim.h).
const DESTRUCTOR_ROUNDS: usize = 4;

/// A destructor of thread-specific data: the C library calls it when a thread ends. Other destructors may still
/// allocate after it. So it asks to be called again until the last round.
unsafe extern "C" fn on_exit(round: *mut c_void) {
    if thread::home().is_none() {
        return;
    }
    if round.addr() < DESTRUCTOR_ROUNDS {
        set_exit_round(round.addr() + 1);
        return;
    }
    leave();
}

/// Releases the calling thread's slot, if it has one. Its later calls count into the common counters.
pub fn leave() {
    let Some(slot) = thread::leave_home() else {
        return;
    };
    sys::with_errno_kept(|| {
        stacks::leave();
        if slots::release(slot) {
            writer::last_left(slots::is_any_taken);
        }
    });
}
