//! The coroutine runtime that registered itself: `include/weir.h` in Rust.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_short, c_ulong, c_void};
use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{pollfd, size_t};
use weir_record::region::{Circumstance, Header};

use super::coroutine_set::CoroutineSet;
use super::{WaitMode, coroutines};
use crate::process::modes;
use crate::region::mapping;
use crate::{process, sys, thread};

/// The version of the table that this library understands.
const ABI: u32 = 1;

// Flags. The first says that coroutines may wake on another thread. It needs no check: no state of a thread is kept
// across a wait.
const SHARED_STACKS: u64 = 1 << 1;
const MANY_WAITERS: u64 = 1 << 2;
const INTERPOSES: u64 = 1 << 3;

/// `struct weir_coop`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Table {
    abi: u32,
    size: u32,
    flags: u64,
    name: *const c_char,
    current: Option<unsafe extern "C" fn() -> *mut c_void>,
    wait_fd: Option<unsafe extern "C-unwind" fn(c_int, c_short, c_int) -> c_int>,
    poll: Option<unsafe extern "C-unwind" fn(*mut pollfd, c_ulong, c_int) -> c_int>,
    sleep_ns: Option<unsafe extern "C-unwind" fn(u64) -> c_int>,
    fd_closing: Option<unsafe extern "C-unwind" fn(c_int)>,
    stack_bounds:
        Option<unsafe extern "C" fn(*mut c_void, *mut *mut c_void, *mut *mut c_void) -> c_int>,
    run_blocking: Option<
        unsafe extern "C-unwind" fn(unsafe extern "C" fn(*mut c_void), *mut c_void) -> c_int,
    >,
    coroutine_name: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, size_t) -> size_t>,
}

/// The size in bytes that every table has at least.
const LEAST: usize = offset_of!(Table, poll);

const NONE: Table = Table {
    abi: ABI,
    size: 0,
    flags: 0,
    name: ptr::null(),
    current: None,
    wait_fd: None,
    poll: None,
    sleep_ns: None,
    fd_closing: None,
    stack_bounds: None,
    run_blocking: None,
    coroutine_name: None,
};

struct Registered(UnsafeCell<Table>);
// SAFETY: the thread that set IS_TAKEN writes it once, before it sets the mode; others read it only after that.
unsafe impl Sync for Registered {}
static REGISTERED: Registered = Registered(UnsafeCell::new(NONE));
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Coroutines that wait by the runtime: calls in them are the runtime's own.
static WAITING: CoroutineSet<2048> = CoroutineSet::new();
/// Coroutines whose calls are made in one part.
static DISABLED: CoroutineSet<64> = CoroutineSet::new();

fn table() -> Option<&'static Table> {
    // Acquire pairs with the Release in `register`: the table was written before.
    let has_runtime = modes::are_ready(modes::COROUTINES);
    // SAFETY: the table is not written any more.
    has_runtime.then(|| unsafe { &*REGISTERED.0.get() })
}

/// `weir_coop_register`, for a thread that is attached. Returns 0, or a negative errno.
///
/// # Safety
/// As `weir.h` says: `given` is NULL, or a table whose size field is right and whose functions may be called from now
/// on.
pub unsafe fn register(given: *const Table) -> c_int {
    if given.is_null() {
        return -libc::EINVAL;
    }
    let mut table = NONE;
    // SAFETY: the caller guarantees the table; this reads no more than its size.
    unsafe {
        let size = (&raw const (*given).size).read_unaligned() as usize;
        let abi = (&raw const (*given).abi).read_unaligned();
        if abi != ABI || size < LEAST {
            return -libc::EINVAL;
        }
        let known = size.min(size_of::<Table>());
        ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut table).cast(), known);
    }
    if table.current.is_none() || table.wait_fd.is_none() {
        return -libc::EINVAL;
    }
    if IS_TAKEN.swap(true, Ordering::Acquire) {
        return -libc::EALREADY;
    }
    // SAFETY: only one thread passes IS_TAKEN, and no thread reads the table before the mode is set.
    unsafe { *REGISTERED.0.get() = table };
    modes::set(modes::COROUTINES);
    thread::hide_slot();
    if let Some(header) = process::header() {
        announce(header);
    }
    0
}

/// `weir_coop_enable`. Returns the previous state, or a negative errno.
pub fn enable(scope: c_int, enable: c_int) -> c_int {
    match scope {
        0 => c_int::from(thread::set_yielding(enable != 0)),
        1 => {
            let Some(coroutine) = current() else {
                return -libc::EINVAL;
            };
            if enable != 0 {
                return c_int::from(!DISABLED.remove(coroutine));
            }
            if DISABLED.contains(coroutine) {
                return 0;
            }
            if DISABLED.insert(coroutine) {
                1
            } else {
                -libc::ENOSPC
            }
        }
        _ => -libc::EINVAL,
    }
}

/// `weir_coop_ended`.
pub fn ended(coroutine: *mut c_void) {
    if let Some(coroutine) = NonNull::new(coroutine) {
        DISABLED.remove(coroutine);
        WAITING.remove(coroutine);
        coroutines::ended(coroutine);
    }
}

/// Writes the runtime's name into a region, and makes the memory for the table of coroutines.
pub fn announce(header: &'static Header) {
    let Some(table) = table() else { return };
    if !table.name.is_null() {
        // SAFETY: `weir.h` asks for a C string that stays there.
        let name = unsafe { CStr::from_ptr(table.name) };
        header.runtime.set(name.to_bytes());
    }
    sys::with_errno_kept(|| match mapping::make_coroutines() {
        Some(count) => header.use_coroutines(count),
        None => header.note(Circumstance::NoCoroutines),
    });
}

/// The coroutine that runs on the calling thread.
pub fn current() -> Option<NonNull<c_void>> {
    // SAFETY: `weir.h` asks for a function that may be called at any time.
    NonNull::new(unsafe { table()?.current?() })
}

/// Whether calls of this coroutine, which runs on the calling thread, wait by the runtime.
pub fn yields(coroutine: NonNull<c_void>) -> bool {
    table().is_some_and(|table| table.flags & INTERPOSES == 0)
        && thread::is_yielding()
        && !WAITING.contains(coroutine)
        && !DISABLED.contains(coroutine)
}

/// Whether a coroutine waits by the runtime: calls in it are then the runtime's own.
pub fn is_waiting(coroutine: NonNull<c_void>) -> bool {
    WAITING.contains(coroutine)
}

/// Calls a function of the runtime that may let other coroutines run. `None` if the runtime has no such function.
///
/// The coroutine may continue on another thread, so no state of the thread is kept across the call. The runtime's own
/// calls are made in one part meanwhile. Inlined: a wait is deepest in the stack here.
#[inline(always)]
fn waiting<T>(coroutine: NonNull<c_void>, call: impl FnOnce(&Table) -> Option<T>) -> Option<T> {
    let table = table()?;
    let is_marked = WAITING.insert(coroutine);
    let result = call(table);
    if is_marked {
        WAITING.remove(coroutine);
    }
    result
}

/// Waits for a descriptor. Returns the events that happened, 0 if the time has passed, or a negative errno.
#[inline(always)]
pub fn wait_fd(way: WaitMode, fd: c_int, events: c_short, timeout_ms: c_int) -> c_int {
    let WaitMode::Coroutine(coroutine) = way else {
        return -libc::ENOSYS;
    };
    let wait = |table: &Table| {
        // SAFETY: a coroutine calls it, as `weir.h` asks.
        table
            .wait_fd
            .map(|wait_fd| unsafe { wait_fd(fd, events, timeout_ms) })
    };
    waiting(coroutine, wait).unwrap_or(-libc::ENOSYS)
}

/// Whether several coroutines may wait for one descriptor.
pub fn allows_many_waiters() -> bool {
    table().is_some_and(|table| table.flags & MANY_WAITERS != 0)
}

/// Waits by the runtime's own poll, if it has one.
///
/// # Safety
/// The same contract as poll(2).
pub unsafe fn poll(
    coroutine: NonNull<c_void>,
    array: *mut pollfd,
    count: c_ulong,
    timeout_ms: c_int,
) -> Option<c_int> {
    waiting(coroutine, |table| {
        let poll = table.poll?;
        // SAFETY: the caller guarantees the array, and a coroutine calls it.
        Some(unsafe { poll(array, count, timeout_ms) })
    })
}

/// Whether an address is on a stack that is moved away while this coroutine waits.
pub fn moves(coroutine: NonNull<c_void>, address: *const c_void) -> bool {
    let Some(table) = table().filter(|table| table.flags & SHARED_STACKS != 0) else {
        return false;
    };
    let Some(stack_bounds) = table.stack_bounds else {
        return true;
    };
    let (mut low, mut high) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: both addresses may be written.
    let status = unsafe { stack_bounds(coroutine.as_ptr(), &raw mut low, &raw mut high) };
    status != 0 || (low.addr()..high.addr()).contains(&address.addr())
}

/// Sleeps for `ns` nanoseconds, if the runtime can. Returns 0 or a negative errno.
#[inline(always)]
pub fn sleep(way: WaitMode, ns: u64) -> Option<c_int> {
    let WaitMode::Coroutine(coroutine) = way else {
        return None;
    };
    waiting(coroutine, |table| {
        let sleep_ns = table.sleep_ns?;
        // SAFETY: a coroutine calls it, as `weir.h` asks.
        Some(unsafe { sleep_ns(ns) })
    })
}

/// Has the runtime call `work` on a thread that may block, if it can. Returns whether `work` was called.
pub fn run_blocking(coroutine: NonNull<c_void>, work: &mut dyn FnMut()) -> bool {
    unsafe extern "C" fn run(work: *mut c_void) {
        // SAFETY: the argument of `run_blocking` below, which lives until that returns.
        unsafe { (*work.cast::<&mut dyn FnMut()>())() }
    }
    let mut work = work;
    let argument = (&raw mut work).cast();
    waiting(coroutine, |table| {
        // SAFETY: a coroutine calls it; `argument` is valid for `run` until the runtime's function returns.
        table
            .run_blocking
            .map(|run_blocking| unsafe { run_blocking(run, argument) })
    }) == Some(0)
}

/// Called before a descriptor that coroutines wait for is closed. The runtime may run those coroutines at once, and
/// continue this one on another thread.
#[inline(never)]
pub fn fd_closing(fd: c_int) {
    let Some(fd_closing) = table().and_then(|table| table.fd_closing) else {
        return;
    };
    let errno = sys::errno();
    // SAFETY: `weir.h` asks for a function that may be called with any descriptor.
    let notify = || unsafe { fd_closing(fd) };
    match current().filter(|&coroutine| !is_waiting(coroutine)) {
        Some(coroutine) => {
            waiting(coroutine, |_| {
                notify();
                Some(())
            });
        }
        None => notify(),
    }
    sys::set_errno(errno);
}

/// Writes the name of a coroutine. Returns how many bytes were written.
pub fn coroutine_name(coroutine: NonNull<c_void>, name: &mut [u8]) -> usize {
    let Some(named) = table().and_then(|table| table.coroutine_name) else {
        return 0;
    };
    // SAFETY: `name` has that many bytes.
    let length = unsafe { named(coroutine.as_ptr(), name.as_mut_ptr().cast(), name.len()) };
    length.min(name.len())
}
