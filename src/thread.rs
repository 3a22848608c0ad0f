//! The state of one thread: which slot is its own, and the guard.
//!
//! The state is initial-exec thread-local storage: at a fixed distance from the thread pointer,
//! known once the library is loaded, so that a hook reaches it in two loads (`thread_local!` in a
//! shared library calls `__tls_get_addr`, 2.4 ns measured here, and that may allocate). Stable Rust has
//! no way to ask for that model, hence the assembly. The state needs no destructor and begins
//! as zeroes, so that it is there before any constructor runs and after the last destructor.
//!
//! The guard marks the time in which a thread shows no slot, so that the hot path asks one question only: is there
//! one? Calls are not the program's own while we call into the C library ourselves; that is never held across a call that may
//! block, be cancelled or be left by a jump. Calls are the program's, but want another look, while the thread is attached
//! (they are those of a signal handler) and while it forks (they are those of handlers of fork, in the parent or in the child).

use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::slot::Slot;

use crate::arch;
pub use crate::arch::stack_pointer;
use crate::process::copied;
use crate::sys;

/// Why a thread's calls are not counted as the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Guard {
    /// They are.
    Open = 0,
    /// Weir itself is at work, or the C library on its behalf.
    Ours = 1,
    /// The thread is being attached, by system calls only: who calls is a signal handler of the program.
    Attaching = 2,
    /// The thread is in fork: who calls is a handler of fork or of a signal, in the parent or in the child.
    Forking = 3,
}

/// What a thread counts into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Attachment {
    /// Not known yet in this image.
    Unknown = 0,
    /// Its slot ([`home`]).
    Slot = 1,
    /// The common counters.
    Common = 2,
    /// Nothing: Weir could not start.
    Nothing = 3,
}

#[repr(C, align(64))]
struct State {
    /// The slot, where the thread has one and the guard is open; the only field of the hot path.
    slot: *const Slot,
    /// The slot, also while the guard is taken.
    home: *const Slot,
    guard: Guard,
    attachment: Attachment,
    /// Where the frame is that took the guard, to know a guard that a jump left behind.
    guard_frame: usize,
    /// Whether calls are made as if there were no coroutines.
    is_unyielding: bool,
    /// Whether the fork that the thread is in was seen by the C library's handlers only.
    is_fork_by_handler: bool,
    /// What was live when the fork began that the thread is in.
    inherited: Live,
}

/// What is live of a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Live {
    /// Bytes.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

const _: () = assert!(size_of::<State>() == arch::THREAD_STATE_BYTES);

/// The thread's slot, if its calls are to be counted into one. In a child that has not been told that it is one there is none:
/// the slot is its parent's.
#[inline(always)]
pub fn slot() -> Option<&'static Slot> {
    let slot: *const Slot =
        std::ptr::with_exposed_provenance(arch::masked_thread_state!(copied::PAGE));
    // SAFETY: NULL, or set by `attach` to a slot of the region, which stays mapped.
    unsafe { slot.as_ref() }
}

fn state() -> *mut State {
    arch::thread_state().cast()
}

/// The calling thread's guard.
pub fn guard() -> Guard {
    // SAFETY: this thread's state.
    unsafe { (*state()).guard }
}

/// Whether the frame is gone that took the guard: a signal handler that interrupted it has jumped away, and left the guard
/// behind. Then we are no deeper than it on the same stack.
pub fn is_guard_left() -> bool {
    // SAFETY: this thread's state.
    stack_pointer() >= unsafe { (*state()).guard_frame }
}

/// Opens the calling thread's guard, which was taken.
pub fn open_guard() {
    let state = state();
    // SAFETY: this thread's state, and its guard was taken.
    unsafe { open(state) };
}

/// What the calling thread counts into in this image.
pub fn attachment() -> Attachment {
    // SAFETY: this thread's state.
    unsafe { (*state()).attachment }
}

/// The calling thread, whose guard is open, is being attached, until [`attached`].
pub fn begin_attaching() {
    let state = state();
    // SAFETY: this thread's state, no reference to which outlives a statement.
    unsafe {
        (*state).guard_frame = stack_pointer();
        (*state).guard = Guard::Attaching;
    }
}

/// The calling thread counts into this from now on: into `home`, where it is that.
pub fn attached(attachment: Attachment, home: Option<&'static Slot>) {
    let state = state();
    // SAFETY: this thread's state, no reference to which outlives a statement.
    unsafe {
        (*state).home = home.map_or(std::ptr::null(), std::ptr::from_ref);
        (*state).attachment = attachment;
        open(state);
    }
}

/// The calling thread's slot is its own no longer: it counts into the common counters. What the slot was.
pub fn leave_home() -> Option<&'static Slot> {
    let left = home()?;
    let state = state();
    // SAFETY: this thread's state.
    unsafe {
        (*state).slot = std::ptr::null();
        (*state).home = std::ptr::null();
        (*state).attachment = Attachment::Common;
    }
    Some(left)
}

/// What tells the calling thread from all others that there are now; never 0.
pub fn identity() -> usize {
    state().addr()
}

/// # Safety
/// `state` is this thread's, and its guard was taken.
unsafe fn open(state: *mut State) {
    // SAFETY: as the caller promises.
    unsafe {
        (*state).guard = Guard::Open;
        if !ARE_SLOTS_HIDDEN.load(Ordering::Relaxed) {
            (*state).slot = (*state).home;
        }
    }
}

/// Whether the calling thread's calls are not the program's own, or want another look.
pub fn is_guarded() -> bool {
    // SAFETY: this thread's state.
    !sys::has_thread_area() || unsafe { (*state()).guard != Guard::Open }
}

/// Whether threads show no slot, so that every call comes past `life::attach::target`.
static ARE_SLOTS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// From now on every call takes the longer way, on which its coroutine is looked for: those of the calling thread and of
/// threads to come at once, those of others when they next come by here.
pub fn hide_slot() {
    ARE_SLOTS_HIDDEN.store(true, Ordering::Relaxed);
    // SAFETY: this thread's state.
    unsafe { (*state()).slot = std::ptr::null() };
}

/// Sets whether the calls of coroutines on the calling thread let others run. What it was.
pub fn set_yielding(is_yielding: bool) -> bool {
    // SAFETY: this thread's state.
    let is_unyielding = unsafe { &mut (*state()).is_unyielding };
    !std::mem::replace(is_unyielding, !is_yielding)
}

/// Whether the calls of coroutines on the calling thread let others run.
pub fn is_yielding() -> bool {
    // SAFETY: this thread's state.
    unsafe { !(*state()).is_unyielding }
}

/// Does `work`, the calls of which are our own. Where the guard is taken already, it stays as it is.
///
/// Signals are blocked meanwhile: the calls of a handler are the program's own. `work` must not block for
/// long, be cancelled, or unwind.
pub fn ours<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: this thread's state.
    if sys::has_thread_area() && unsafe { (*state()).guard } == Guard::Ours {
        // Then they are blocked already.
        return work();
    }
    sys::with_signals_blocked(|| ours_undisturbed(work))
}

/// The same for who has blocked signals.
pub fn ours_undisturbed<T>(work: impl FnOnce() -> T) -> T {
    if !sys::has_thread_area() {
        return work();
    }
    let state = state();
    // SAFETY: this thread's state, no reference to which outlives a statement.
    unsafe {
        let before = ((*state).guard, (*state).guard_frame);
        (*state).slot = std::ptr::null();
        (*state).guard_frame = stack_pointer();
        (*state).guard = Guard::Ours;
        let result = work();
        ((*state).guard, (*state).guard_frame) = before;
        if before.0 == Guard::Open {
            open(state);
        }
        result
    }
}

/// The calling thread begins to fork: until it has, its calls are looked at, because they may be made in the child. With what is
/// live now. False where it forks already, or its calls are not looked at.
pub fn begin_fork(live: Live) -> bool {
    if is_guarded() {
        return false;
    }
    let state = state();
    // SAFETY: this thread's state.
    unsafe {
        (*state).slot = std::ptr::null();
        (*state).inherited = live;
        (*state).is_fork_by_handler = false;
        (*state).guard = Guard::Forking;
    }
    true
}

/// Sets whether the fork that the calling thread is in was seen by the C library's handlers only. What was set.
pub fn set_fork_by_handler(is_so: bool) -> bool {
    // SAFETY: this thread's state.
    sys::has_thread_area()
        && std::mem::replace(unsafe { &mut (*state()).is_fork_by_handler }, is_so)
}

/// Notes anew what is live, while the calling thread forks: a handler of fork has allocated.
pub fn inherit(live: Live) {
    if is_forking() {
        let state = state();
        // SAFETY: this thread's state.
        unsafe { (*state).inherited = live };
    }
}

/// It has forked, in the parent.
pub fn end_fork() {
    if is_forking() {
        let state = state();
        // SAFETY: this thread's state.
        unsafe { open(state) };
    }
}

/// Whether the calling thread is in fork, and not yet known to be the child's.
pub fn is_forking() -> bool {
    // SAFETY: this thread's state.
    sys::has_thread_area() && unsafe { (*state()).guard == Guard::Forking }
}

/// What was live when the calling thread began to fork.
pub fn inherited() -> Live {
    if !sys::has_thread_area() {
        return Live::default();
    }
    // SAFETY: this thread's state.
    unsafe { (*state()).inherited }
}

/// Takes the guard for ever: this thread is Weir's.
pub fn become_ours() {
    let state = state();
    // SAFETY: this thread's state.
    unsafe {
        (*state).slot = std::ptr::null();
        (*state).guard = Guard::Ours;
    }
}

/// Forgets the slot: after fork, when the image is another.
pub fn forget() {
    if !sys::has_thread_area() {
        return;
    }
    let state = state();
    // SAFETY: this thread's state.
    unsafe {
        (*state).slot = std::ptr::null();
        (*state).home = std::ptr::null();
        (*state).attachment = Attachment::Unknown;
        (*state).guard = Guard::Open;
        (*state).is_fork_by_handler = false;
    }
}

/// The calling thread's slot, if it has one, also while its guard is taken.
pub fn home() -> Option<&'static Slot> {
    if !sys::has_thread_area() {
        return None;
    }
    // SAFETY: this thread's state; the slot stays mapped.
    unsafe { (*state()).home.as_ref() }
}
