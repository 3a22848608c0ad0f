//! Locks and semaphores. Programs take most locks without waiting, in a few nanoseconds, and that stays so: a call that finds
//! its lock free goes on at once, and is not counted. One that finds it taken is recorded as calls of other functions are.
//!
//! Whether a lock is taken is read from its memory, and nothing of it is changed. To try the lock first would be a call that the
//! program has not made, of a function that another library may have replaced. What is read is how the C library has kept its
//! locks since version 2.25 (nptl: pthread_mutex_lock.c, pthread_rwlock_common.c, sem_waitcommon.c). Where a lock is kept
//! otherwise, as by a sanitizer, its calls are miscounted, and nothing worse.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{clockid_t, pthread_mutex_t, pthread_rwlock_t, timespec};

use super::io_call;
use crate::linking::next;
use crate::recording::returns;
use crate::thread;

/// What sem_init(3) makes.
type Semaphore = c_void;

/// Defines hooks. A line has the row of the table, the function, what its result means, a test whether its first argument
/// is taken, and a test whether the calling thread may take it again where it is.
macro_rules! lock_hooks {
    ($($function:ident = fn $name:ident($lock:ident: $type:ty $(, $argument:ident: $other:ty)*) -> c_int: $judge:expr,
        $is_taken:expr, unless $is_own:expr;)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($lock: $type $(, $argument: $other)*) -> c_int {
            // SAFETY: the program's lock, which the call that follows reads in any case.
            if unsafe { $is_taken($lock.cast()) } {
                // SAFETY: the same call with the same arguments; our caller keeps its contract.
                return unsafe { taken($lock $(, $argument)*) };
            }
            // SAFETY: the same call with the same arguments; our caller keeps its contract.
            return unsafe { free($lock $(, $argument)*) };

            #[inline(always)]
            unsafe extern "C-unwind" fn free($lock: $type $(, $argument: $other)*) -> c_int {
                // SAFETY: the row's function has this type; our caller keeps its contract.
                unsafe {
                    next::found::<unsafe extern "C-unwind" fn($type $(, $other)*) -> c_int>(
                        weir_record::functions::Function::$function,
                    )($lock $(, $argument)*)
                }
            }

            #[cold]
            #[inline(never)]
            unsafe extern "C-unwind" fn taken($lock: $type $(, $argument: $other)*) -> c_int {
                // SAFETY: the program's lock; the same call with the same arguments.
                unsafe {
                    if $is_own($lock.cast()) {
                        return free($lock $(, $argument)*);
                    }
                }
                let call = io_call!($function);
                let next = move || next::next_call!($function($lock: $type $(, $argument: $other)*) -> c_int);
                call.make($judge, next, |_| {})
            }
        }
    )+};
}

lock_hooks! {
    MutexLock = fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int: returns::error_number, is_held, unless is_own_again;
    MutexLockAlias = fn __pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int: returns::error_number, is_held, unless is_own_again;
    MutexTimedlock = fn pthread_mutex_timedlock(mutex: *mut pthread_mutex_t, end: *const timespec) -> c_int: returns::error_number, is_held, unless is_own_again;
    MutexClocklock = fn pthread_mutex_clocklock(mutex: *mut pthread_mutex_t, clock: clockid_t, end: *const timespec) -> c_int: returns::error_number, is_held, unless is_own_again;
    MtxLock = fn mtx_lock(mutex: *mut c_void) -> c_int: returns::thread_result, is_held, unless is_own_again;
    MtxTimedlock = fn mtx_timedlock(mutex: *mut c_void, end: *const timespec) -> c_int: returns::thread_result, is_held, unless is_own_again;
    RwlockRdlock = fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int: returns::error_number, has_writer, unless never;
    RwlockRdlockAlias = fn __pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int: returns::error_number, has_writer, unless never;
    RwlockTimedrdlock = fn pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, end: *const timespec) -> c_int: returns::error_number, has_writer, unless never;
    RwlockClockrdlock = fn pthread_rwlock_clockrdlock(lock: *mut pthread_rwlock_t, clock: clockid_t, end: *const timespec) -> c_int: returns::error_number, has_writer, unless never;
    RwlockWrlock = fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int: returns::error_number, has_anyone, unless never;
    RwlockWrlockAlias = fn __pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int: returns::error_number, has_anyone, unless never;
    RwlockTimedwrlock = fn pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, end: *const timespec) -> c_int: returns::error_number, has_anyone, unless never;
    RwlockClockwrlock = fn pthread_rwlock_clockwrlock(lock: *mut pthread_rwlock_t, clock: clockid_t, end: *const timespec) -> c_int: returns::error_number, has_anyone, unless never;
    SemWait = fn sem_wait(semaphore: *mut Semaphore) -> c_int: returns::status, is_at_zero, unless never;
    SemTimedwait = fn sem_timedwait(semaphore: *mut Semaphore, end: *const timespec) -> c_int: returns::status, is_at_zero, unless never;
    SemClockwait = fn sem_clockwait(semaphore: *mut Semaphore, clock: clockid_t, end: *const timespec) -> c_int: returns::status, is_at_zero, unless never;
}

/// A word of a lock, by its index. Other threads write to it.
///
/// # Safety
/// There is memory of a lock that has so many words.
#[inline(always)]
unsafe fn word(lock: *mut u32, index: usize) -> u32 {
    // SAFETY: the caller promises the memory; locks are aligned as their words are.
    unsafe { AtomicU32::from_ptr(lock.add(index)) }.load(Ordering::Relaxed)
}

/// Whether a thread has the mutex.
///
/// # Safety
/// A mutex.
#[inline(always)]
unsafe fn is_held(mutex: *mut u32) -> bool {
    // SAFETY: a mutex, as the caller promises.
    unsafe { word(mutex, 0) != 0 }
}

/// Whether the calling thread has the mutex, and may take it again.
///
/// # Safety
/// A mutex.
unsafe fn is_own_again(mutex: *mut u32) -> bool {
    // The lock, a count, the owner, a number of users, the kind (struct __pthread_mutex_s).
    const OWNER: usize = 2;
    const KIND: usize = 4;
    /// What is left of a kind without its flags (robust, priorities, shared between processes).
    const KINDS: u32 = 3;
    // SAFETY: a mutex, as the caller promises.
    let (owner, kind) = unsafe { (word(mutex, OWNER), word(mutex, KIND)) };
    kind & KINDS == libc::PTHREAD_MUTEX_RECURSIVE as u32
        && thread::slot().is_some_and(|slot| slot.owner.tid() == owner)
}

/// Of locks that no thread may take again.
unsafe fn never(_: *mut u32) -> bool {
    false
}

/// In the first word of a lock for readers and writers: that a writer has it, or is to have it next.
const WRITER: u32 = 2;
/// In the same word: that it is no longer the readers' turn.
const WRITERS_TURN: u32 = 1;
/// How many readers have it is above these bits.
const READERS_SHIFT: u32 = 3;

/// Whether a writer has the lock.
///
/// # Safety
/// A lock for readers and writers.
#[inline(always)]
unsafe fn has_writer(lock: *mut u32) -> bool {
    // SAFETY: a lock, as the caller promises.
    unsafe { word(lock, 0) & (WRITER | WRITERS_TURN) == WRITER | WRITERS_TURN }
}

/// Whether a writer or readers have the lock.
///
/// # Safety
/// A lock for readers and writers.
#[inline(always)]
unsafe fn has_anyone(lock: *mut u32) -> bool {
    // SAFETY: a lock, as the caller promises.
    let state = unsafe { word(lock, 0) };
    state & WRITER != 0 || state >> READERS_SHIFT != 0
}

/// Whether the semaphore's value is 0. On 64-bit architectures that is the first word.
///
/// # Safety
/// A semaphore.
#[inline(always)]
unsafe fn is_at_zero(semaphore: *mut u32) -> bool {
    // SAFETY: a semaphore, as the caller promises.
    unsafe { word(semaphore, 0) == 0 }
}
