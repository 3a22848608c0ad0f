//! Waiting for other threads: condition variables, barriers, threads that end, and futexes, which programs and language runtimes
//! use by their number. Locks are elsewhere ([`lock`](super::lock)): a call that finds its lock free does not wait.

use std::ffi::{c_int, c_long, c_void};
use std::mem::transmute;

use libc::{clockid_t, pthread_t, timespec};
use weir_record::functions::Function;

use super::{io_call, io_hooks};
use crate::linking::{bound, next};
use crate::recording::returns;

/// `pthread_cond_t`, `cnd_t`.
type Condition = c_void;
/// `pthread_mutex_t`, `mtx_t`.
type Mutex = c_void;
/// `pthread_barrier_t`.
type Barrier = c_void;

io_hooks! {
    CondClockwait = fn pthread_cond_clockwait(condition: *mut Condition, mutex: *mut Mutex, clock: clockid_t, end: *const timespec) -> c_int: returns::error_number;
    CndWait = fn cnd_wait(condition: *mut Condition, mutex: *mut Mutex) -> c_int: returns::thread_result;
    CndTimedwait = fn cnd_timedwait(condition: *mut Condition, mutex: *mut Mutex, end: *const timespec) -> c_int: returns::thread_result;
    BarrierWait = fn pthread_barrier_wait(barrier: *mut Barrier) -> c_int: |_| returns::nothing(());
    Join = fn pthread_join(thread: pthread_t, result: *mut c_void) -> c_int: returns::error_number;
    TimedJoin = fn pthread_timedjoin_np(thread: pthread_t, result: *mut c_void, end: *const timespec) -> c_int: returns::error_number;
    ClockJoin = fn pthread_clockjoin_np(thread: pthread_t, result: *mut c_void, clock: clockid_t, end: *const timespec) -> c_int: returns::error_number;
    ThrdJoin = fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int: returns::thread_result;
}

/// The hook of `pthread_cond_wait`: its arguments, and then the return address of the hook. The oldest version has another kind of
/// condition variable.
///
/// # Safety
/// The same contract as pthread_cond_wait(3).
pub unsafe extern "C-unwind" fn cond_wait(
    condition: *mut Condition,
    mutex: *mut Mutex,
    caller: usize,
) -> c_int {
    type Next = unsafe extern "C-unwind" fn(*mut Condition, *mut Mutex) -> c_int;
    // SAFETY: the type is that of pthread_cond_wait.
    let next = unsafe { bound::of_caller::<Next>(Function::CondWait, caller) };
    // SAFETY: the next function has the same contract, and our caller keeps it.
    let wait = || unsafe { next(condition, mutex) };
    io_call!(CondWait).make(returns::error_number, wait, |_| {})
}

/// The hook of `pthread_cond_timedwait`, as [`cond_wait`].
///
/// # Safety
/// The same contract as pthread_cond_timedwait(3).
pub unsafe extern "C-unwind" fn cond_timedwait(
    condition: *mut Condition,
    mutex: *mut Mutex,
    end: *const timespec,
    caller: usize,
) -> c_int {
    type Next = unsafe extern "C-unwind" fn(*mut Condition, *mut Mutex, *const timespec) -> c_int;
    // SAFETY: the type is that of pthread_cond_timedwait.
    let next = unsafe { bound::of_caller::<Next>(Function::CondTimedwait, caller) };
    // SAFETY: the next function has the same contract, and our caller keeps it.
    let wait = || unsafe { next(condition, mutex, end) };
    io_call!(CondTimedwait).make(returns::error_number, wait, |_| {})
}

/// System calls that have the same numbers on all architectures (Linux 5.16 and 6.7).
const FUTEX_WAITV: c_long = 449;
const FUTEX_WAIT: c_long = 455;

/// Whether a system call waits at a futex (futex(2)).
pub const fn waits_at_futex(number: c_long, operation: usize) -> bool {
    match number {
        libc::SYS_futex => matches!(
            operation as c_int & libc::FUTEX_CMD_MASK,
            libc::FUTEX_WAIT
                | libc::FUTEX_WAIT_BITSET
                | libc::FUTEX_WAIT_REQUEUE_PI
                | libc::FUTEX_LOCK_PI
                | libc::FUTEX_LOCK_PI2
        ),
        FUTEX_WAITV | FUTEX_WAIT => true,
        _ => false,
    }
}

/// Makes a system call that waits at a futex, in place of `syscall`.
///
/// # Safety
/// The same contract as syscall(2).
pub unsafe extern "C-unwind" fn futex(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> c_long {
    type Next =
        unsafe extern "C-unwind" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;
    let address = next::address(Function::Syscall);
    // SAFETY: the next function takes as many arguments as a system call has.
    let next = unsafe { transmute::<usize, Next>(address.get()) };
    // SAFETY: the program's arguments of `syscall`, unchanged; the next function has the same contract.
    let wait = || unsafe { next(number, first, second, third, fourth, fifth, sixth) };
    let judge = |result: c_long| returns::length(result as isize);
    io_call!(Futex).make(judge, wait, |_| {})
}
