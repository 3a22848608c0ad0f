//! Calls by which a program takes something from itself, or for which it must be alone: by their functions, and by
//! `syscall`.

use std::ffi::{c_int, c_long};

use weir_record::functions::Function;
use weir_record::region::Circumstance;

use crate::arch::numbers;
use crate::life::fork;
use crate::life::seal::Taking;
use crate::linking::next;
use crate::{recording, sys, thread};

/// Since Linux 5.11; the kernel's headers of Debian 11 do not have it.
const PR_SET_SYSCALL_USER_DISPATCH: c_int = 59;
const PR_SYS_DISPATCH_OFF: usize = 0;
const ARCH_SET_CPUID: usize = 0x1012;

/// The arguments after the first are integers or pointers, whatever the option; they arrive in registers and are
/// passed on in them, used or not.
///
/// # Safety
/// As prctl(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    make(Function::Prctl, by_prctl(option, a, b), || {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::prctl(option, a, b, c, d) }
    })
}

/// # Safety
/// As unshare(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn unshare(flags: c_int) -> c_int {
    make(
        Function::Unshare,
        by_unshare(flags),
        || next::next_call!(Unshare(flags: c_int) -> c_int),
    )
}

/// # Safety
/// As setns(2) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn setns(fd: c_int, kind: c_int) -> c_int {
    make(
        Function::Setns,
        by_setns(),
        || next::next_call!(Setns(fd: c_int, kind: c_int) -> c_int),
    )
}

/// Makes a call that takes something, and counts it.
fn make(function: Function, taking: Taking, next: impl FnOnce() -> c_int) -> c_int {
    recording::count(function);
    let taken = taking.begin();
    let result = next();
    taken.end(result != -1);
    if result == -1 {
        recording::count_failure(function);
    }
    result
}

/// What seccomp takes, by its mode and its filter, where it does not only ask whether it could: for that programs pass no
/// filter.
fn by_seccomp(mode: usize, filter: usize) -> Taking {
    let (takes, is_strict) = match u32::try_from(mode) {
        Ok(libc::SECCOMP_MODE_STRICT) => (true, true),
        Ok(libc::SECCOMP_MODE_FILTER) => (filter != 0, false),
        _ => (false, false),
    };
    Taking {
        calls: takes.then_some(Circumstance::Sealed),
        clock: is_strict,
        ..Taking::default()
    }
}

fn by_prctl(option: c_int, a: usize, b: usize) -> Taking {
    match option {
        libc::PR_SET_SECCOMP => by_seccomp(a, b),
        libc::PR_SET_TSC => Taking {
            clock: a as c_int == libc::PR_TSC_SIGSEGV,
            ..Taking::default()
        },
        PR_SET_SYSCALL_USER_DISPATCH => Taking {
            calls: (a != PR_SYS_DISPATCH_OFF).then_some(Circumstance::Dispatched),
            ..Taking::default()
        },
        _ => Taking::default(),
    }
}

fn by_unshare(flags: c_int) -> Taking {
    const ALONE: c_int =
        libc::CLONE_NEWUSER | libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
    Taking {
        needs_one_thread: flags & ALONE != 0,
        ..Taking::default()
    }
}

/// Which namespaces are joined only the kernel knows; for some of them a process must be alone.
fn by_setns() -> Taking {
    Taking {
        needs_one_thread: true,
        ..Taking::default()
    }
}

fn taking(number: c_long, a: usize, b: usize, c: usize) -> Taking {
    match number {
        // Its operations count from 0, the modes of prctl from 1.
        libc::SYS_seccomp => by_seccomp((a as u32 as usize).wrapping_add(1), c),
        libc::SYS_prctl => by_prctl(a as c_int, b, c),
        numbers::ARCH_PRCTL => Taking {
            processor: a == ARCH_SET_CPUID && b == 0,
            ..Taking::default()
        },
        libc::SYS_unshare => by_unshare(a as c_int),
        libc::SYS_setns => by_setns(),
        _ => Taking::default(),
    }
}

/// Whether a system call takes something.
pub fn takes(number: c_long, a: usize, b: usize, c: usize) -> bool {
    taking(number, a, b, c).is_any()
}

/// Whether one has succeeded. A filter that could not be given to all threads is no failure by its result: that is the
/// thread's id.
fn has_succeeded(number: c_long, flags: usize, result: c_long) -> bool {
    let is_for_all = number == libc::SYS_seccomp
        && flags & libc::SECCOMP_FILTER_FLAG_TSYNC as usize != 0
        && flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize == 0;
    if is_for_all { result == 0 } else { result >= 0 }
}

/// Where a system call that [`takes`] something goes on.
pub fn by_system_call() -> usize {
    (make_by_system_call as *const ()).addr()
}

unsafe extern "C-unwind" fn make_by_system_call(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> c_long {
    let taken = taking(number, a, b, c).begin();
    next::ensure(Function::Syscall);
    // SAFETY: as the program calls syscall, which has been found; none of these system calls has more arguments.
    let result = unsafe { next::syscall(number, a, b, c, d, e) };
    taken.end(has_succeeded(number, b, result));
    result
}

/// Where a system call of a sealed process goes on that makes a process; none for all others: the C library's place may be the only one that may make any. A
/// child that begins on a stack of its own has nobody to tell it that it is one.
pub fn going_on(number: c_long, flags: usize, stack: usize) -> Option<usize> {
    let forks = match number {
        numbers::FORK => true,
        libc::SYS_clone => flags & libc::CLONE_VM as usize == 0 && stack == 0,
        _ => false,
    };
    forks.then(|| {
        fork::begin_fork();
        (fork_by_the_c_library as *const ()).addr()
    })
}

/// The child has memory of its own, and so a copy of our frame.
unsafe extern "C-unwind" fn fork_by_the_c_library(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> c_long {
    next::ensure(Function::Syscall);
    // SAFETY: as above.
    let result = unsafe { next::syscall(number, a, b, c, d, e) };
    if result == 0 {
        fork::forked();
    } else if thread::is_forking() {
        sys::with_errno_kept(|| fork::end_fork(result == -1));
    }
    result
}
