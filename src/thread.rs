//! The state of one thread: its slot, and the guard.
//!
//! The state is initial-exec thread-local storage, at a fixed distance from the thread pointer. That distance is
//! known once the library is loaded, so a hook reaches the state in two loads. (`thread_local!` in a shared library
//! calls `__tls_get_addr`, which takes 2.4 ns as measured here, and may allocate.) Stable Rust cannot ask for that
//! model, so this is assembly. The state needs no destructor and starts as zeroes. So it can be used before any
//! constructor runs and after the last destructor.
//!
//! The guard marks the time in which a thread shows no slot, so that the hot path asks one question only: is there a
//! slot? While we call the C library ourselves, calls are not the program's own. The guard for that is never held
//! across a call that may block, be cancelled or be left by a jump. While the thread is attached or forks, calls are
//! the program's, but need a closer look. During an attach a signal handler makes them; during a fork, a handler of
//! fork or of a signal, in the parent or in the child.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::slot::Slot;

use crate::arch;
pub use crate::arch::stack_pointer;
use crate::process::{self, copied};
use crate::sys;

/// Why a thread's calls are not counted as the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Guard {
    /// They are counted.
    Open = 0,
    /// Weir itself is at work, or the C library on its behalf.
    Ours = 1,
    /// The thread is being attached, by system calls only: the caller is a signal handler of the program.
    Attaching = 2,
    /// The thread is in fork: the caller is a handler of fork or of a signal, in the parent or in the child.
    Forking = 3,
}

/// Where a thread's calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Attachment {
    /// Not known yet in this image.
    Unknown = 0,
    /// In its slot ([`home`]).
    Slot = 1,
    /// In the common counters.
    Common = 2,
    /// Nowhere: Weir could not start.
    Nothing = 3,
}

#[repr(C, align(64))]
struct State {
    /// The slot, if the thread has one and the guard is open. The hot path reads only this field.
    slot: *const Slot,
    /// The slot, also while the guard is taken.
    home: *const Slot,
    guard: Guard,
    attachment: Attachment,
    /// The stack pointer when the guard was taken, to recognise a guard that a jump left behind.
    guard_frame: usize,
    /// Whether calls are made as if there were no coroutines.
    is_unyielding: bool,
    /// Whether only the C library's handlers of fork have seen the current fork.
    is_fork_by_handler: bool,
    /// What was live when the current fork began.
    inherited: Live,
    /// What it remembers of its call stacks; NULL where it has taken none.
    stacks: *mut c_void,
}

/// What is live of a heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Live {
    /// In bytes.
    pub bytes: u64,
    /// In blocks.
    pub blocks: u64,
}

const _: () = assert!(size_of::<State>() == arch::THREAD_STATE_BYTES);

/// The thread's slot, if its calls are to be counted in one. `None` in a child that no hook has seen yet: the slot is
/// its parent's.
#[inline(always)]
pub fn slot() -> Option<&'static Slot> {
    let slot = arch::first_of_thread_state();
    if !arch::shares_bits!(slot, copied::PAGE) {
        return None;
    }
    // SAFETY: it has a bit. So the compiler need not ask whether it is NULL.
    unsafe { std::hint::assert_unchecked(slot != 0) };
    let slot: *const Slot = std::ptr::with_exposed_provenance(slot);
    // SAFETY: not NULL. A slot of the region that `attached` stored, which stays mapped.
    Some(unsafe { &*slot })
}

fn state() -> *mut State {
    arch::thread_state().cast()
}

/// The calling thread's guard.
pub fn guard() -> Guard {
    // SAFETY: this thread's state.
    unsafe { (*state()).guard }
}

/// Whether the frame that took the guard is gone: a signal handler that interrupted it has jumped away, and left the
/// guard behind. Then the stack pointer is at that frame's place or above it.
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

/// Where the calling thread's calls are counted in this image.
pub fn attachment() -> Attachment {
    // SAFETY: this thread's state.
    unsafe { (*state()).attachment }
}

/// Begins to attach the calling thread, whose guard is open. [`attached`] ends that.
pub fn begin_attaching() {
    let state = state();
    // SAFETY: this thread's state, no reference to which outlives a statement.
    unsafe {
        (*state).guard_frame = stack_pointer();
        (*state).guard = Guard::Attaching;
    }
}

/// Sets where the calling thread's calls are counted from now on; `home` is the slot for [`Attachment::Slot`].
pub fn attached(attachment: Attachment, home: Option<&'static Slot>) {
    let state = state();
    // SAFETY: this thread's state, no reference to which outlives a statement.
    unsafe {
        (*state).home = home.map_or(std::ptr::null(), std::ptr::from_ref);
        (*state).attachment = attachment;
        open(state);
    }
}

/// Takes the calling thread's slot from it, and returns that slot. The thread counts in the common counters from now
/// on.
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

/// A number that differs from that of every other thread that exists now. Never 0.
pub fn identity() -> usize {
    state().addr()
}

/// # Safety
/// `state` is this thread's, and its guard was taken.
unsafe fn open(state: *mut State) {
    // SAFETY: as the caller promises.
    unsafe {
        (*state).guard = Guard::Open;
        if ARE_SLOTS_HIDDEN.load(Ordering::Relaxed) {
            return;
        }
        loop {
            let generation = process::generation();
            (&raw mut (*state).slot).write_volatile((&raw const (*state).home).read_volatile());
            // A signal handler may have forked in between, and this be the child: it has another slot, or none yet.
            if process::generation() == generation {
                return;
            }
        }
    }
}

/// Whether the calling thread's calls are not the program's own, or need a closer look.
pub fn is_guarded() -> bool {
    // SAFETY: this thread's state.
    !sys::has_thread_area() || unsafe { (*state()).guard != Guard::Open }
}

/// Whether threads show no slot, so that every call passes through `life::attach::target`.
static ARE_SLOTS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// Makes every call take the longer way, on which its coroutine is looked up. This hides the slots of the calling
/// thread and of new threads at once. Other threads hide theirs at their next call that may wait.
pub fn hide_slot() {
    ARE_SLOTS_HIDDEN.store(true, Ordering::Relaxed);
    // SAFETY: this thread's state.
    unsafe { (*state()).slot = std::ptr::null() };
}

/// What the calling thread remembers of its call stacks; NULL where it has taken none.
#[inline(always)]
pub fn stacks() -> *mut c_void {
    // SAFETY: this thread's state.
    unsafe { (*state()).stacks }
}

/// Sets it.
pub fn set_stacks(stacks: *mut c_void) {
    // SAFETY: this thread's state.
    unsafe { (*state()).stacks = stacks };
}

/// Sets whether the calls of coroutines on the calling thread let others run. Returns the previous value.
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

/// Does `work`, whose calls are our own. If the guard is taken already, it stays as it is.
///
/// Signals are blocked meanwhile: the calls of a handler are the program's own. `work` must not block for long, be
/// cancelled, or unwind.
pub fn ours<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: this thread's state.
    if sys::has_thread_area() && unsafe { (*state()).guard } == Guard::Ours {
        // Signals are blocked already.
        return work();
    }
    sys::with_signals_blocked(|| ours_undisturbed(work))
}

/// The same for a caller that has blocked signals.
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

/// Begins a fork of the calling thread, with what is live now. Until [`end_fork`], its calls get a closer look,
/// because they may be made in the child. False if the thread is guarded: it forks already, or its calls are not the
/// program's.
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

/// Sets whether only the C library's handlers have seen the fork that the calling thread is in. Returns the previous
/// value.
pub fn set_fork_by_handler(is_so: bool) -> bool {
    // SAFETY: this thread's state.
    sys::has_thread_area()
        && std::mem::replace(unsafe { &mut (*state()).is_fork_by_handler }, is_so)
}

/// Updates what is live while the calling thread forks: a handler of fork has allocated.
pub fn inherit(live: Live) {
    if is_forking() {
        let state = state();
        // SAFETY: this thread's state.
        unsafe { (*state).inherited = live };
    }
}

/// Ends the fork, in the parent.
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

/// Takes the guard for the rest of the thread's life: this thread is Weir's.
pub fn become_ours() {
    let state = state();
    // SAFETY: this thread's state.
    unsafe {
        (*state).slot = std::ptr::null();
        (*state).guard = Guard::Ours;
    }
}

/// Forgets the slot: after fork, the image is a new one.
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

/// The calling thread's slot, also while its guard is taken. `None` if it has none.
pub fn home() -> Option<&'static Slot> {
    if !sys::has_thread_area() {
        return None;
    }
    // SAFETY: this thread's state; the slot stays mapped.
    unsafe { (*state()).home.as_ref() }
}
