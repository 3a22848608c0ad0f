//! Stacks of our own: the thread's stack may be as small as a signal handler's.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Memory, call, with_signals_blocked};
use crate::arch;

/// Does `work` on a stack of our own. False, and nothing done, if there is no memory for the stack.
///
/// Signals are blocked meanwhile. The kernel checks by the stack pointer whether a thread is on its stack for
/// signals. If the thread is on it, but works here, the kernel would start the next handler at its top, over the
/// frames of the current handler.
#[inline(never)]
pub fn on_own_stack(work: impl FnMut()) -> bool {
    with_signals_blocked(|| undisturbed_on_own_stack(work))
}

/// The same if signals are blocked already.
pub fn undisturbed_on_own_stack(mut work: impl FnMut()) -> bool {
    let Some(stack) = Memory::new(OWN_STACK) else {
        return false;
    };
    // SAFETY: the end of the mapping, which is ours alone and outlives the work.
    unsafe { on_stack(stack.start().byte_add(OWN_STACK), &mut work) };
    true
}

/// The same for work that must be done in any case: if there is no memory for a stack, on the thread's own.
pub fn on_own_stack_if_possible(mut work: impl FnMut()) {
    #[cold]
    #[inline(never)]
    fn here(work: &mut impl FnMut()) {
        work();
    }
    if !on_own_stack(&mut work) {
        here(&mut work);
    }
}

/// The same for work that takes little of it, and is done at each exec: on the stack that is always there, unless it is taken. No
/// memory has to be made for it.
pub fn on_ready_stack_if_possible(mut work: impl FnMut()) {
    let is_done = with_signals_blocked(|| on_stack_that_is_there(&mut work));
    if !is_done {
        on_own_stack_if_possible(work);
    }
}

/// The same on a stack that is always there, for the start of an image. If that stack is taken, because a signal
/// handler has interrupted its user, on one of [`on_own_stack`].
pub fn on_first_stack(mut work: impl FnMut()) -> bool {
    let is_done = match is_on_signal_stack() {
        true => with_signals_blocked(|| on_stack_that_is_there(&mut work)),
        false => on_stack_that_is_there(&mut work),
    };
    is_done || on_own_stack(work)
}

/// Does `work` on a stack in the library's own data. False, and nothing done, if it is taken. It stays taken in a child that is
/// forked meanwhile, and after one of vfork that is killed here: others then have to do without it.
fn on_stack_that_is_there(work: &mut impl FnMut()) -> bool {
    const BYTES: usize = 64 * 1024;
    #[repr(align(4096))]
    struct Stack(UnsafeCell<[u8; BYTES]>);
    // SAFETY: only the thread that has set `IS_TAKEN` is on it.
    unsafe impl Sync for Stack {}
    static STACK: Stack = Stack(UnsafeCell::new([0; BYTES]));
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if IS_TAKEN.swap(true, Ordering::Acquire) {
        return false;
    }
    // SAFETY: the end of the stack, which is ours alone until the work is done.
    unsafe { on_stack(STACK.0.get().byte_add(BYTES).cast(), work) };
    IS_TAKEN.store(false, Ordering::Release);
    true
}

/// Whether the thread is on its stack for signals, in a handler.
fn is_on_signal_stack() -> bool {
    signal_stack().is_some_and(|stack| stack.ss_flags & libc::SS_ONSTACK != 0)
}

/// The thread's stack for signals; without room if it has none, or is in a handler that does without it (SS_AUTODISARM).
fn signal_stack() -> Option<libc::stack_t> {
    let mut stack = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: the kernel writes the current stack for signals, and sets none.
    let result = unsafe {
        call(
            libc::SYS_sigaltstack,
            [0, stack.as_mut_ptr().addr(), 0, 0, 0],
        )
    };
    // SAFETY: the kernel has written it, because the call succeeded.
    (result == 0).then(|| unsafe { stack.assume_init() })
}

/// Whether the calling thread, with this stack pointer, has left a frame of its own by a jump. If not, a signal handler has
/// interrupted the frame. A handler may have a stack of its own, and that may lie above the frame.
pub fn is_left(frame: usize, stack_pointer: usize) -> bool {
    let signals = super::allowed().and_then(|_allowed| signal_stack());
    let is_for_signals = |place: usize| {
        signals.is_some_and(|stack| place.wrapping_sub(stack.ss_sp.addr()) < stack.ss_size)
    };
    match (is_for_signals(frame), is_for_signals(stack_pointer)) {
        (true, false) => true,
        (false, true) => false,
        _ => frame <= stack_pointer,
    }
}

/// Does `work` on the stack that ends at `top`.
///
/// # Safety
/// `top` is the end of a stack that nothing else uses, and a multiple of 16.
pub unsafe fn on_stack<F: FnMut()>(top: *mut c_void, work: &mut F) {
    extern "C" fn call<F: FnMut()>(work: *mut c_void) {
        // SAFETY: `work` points to the `work` below.
        unsafe { (*work.cast::<F>())() }
    }
    fn thunk<F: FnMut()>(_: &F) -> extern "C" fn(*mut c_void) {
        call::<F>
    }
    let thunk = thunk(work);
    // SAFETY: the stack is there, as the caller promises, and `thunk` takes the work.
    unsafe { arch::call_on_stack(top, thunk, ptr::from_mut(work).cast()) };
}

/// The size in bytes of the stack that the writer works on. Untouched pages cost nothing.
pub const OWN_STACK: usize = 1024 * 1024;
