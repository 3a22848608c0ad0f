//! Calls by which a program gives up a right, or which only a process with one thread may make. They come through
//! functions of their own, or through `syscall`.

use std::ffi::{c_int, c_long};

use weir_record::functions::Function;
use weir_record::region::Circumstance;

use crate::arch::numbers;
use crate::life::fork;
use crate::life::seal::Taking;
use crate::linking::next;
use crate::{recording, sys};

/// Exists since Linux 5.11; the kernel headers of Debian 11 do not define it.
const PR_SET_SYSCALL_USER_DISPATCH: c_int = 59;
const PR_SYS_DISPATCH_OFF: usize = 0;
const ARCH_SET_CPUID: usize = 0x1012;

/// The arguments after the first are integers or pointers, depending on the option. They arrive in registers, and the
/// hook passes all of them on in registers, used or not.
///
/// # Safety
/// The same contract as prctl(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn prctl(option: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
    make(Function::Prctl, by_prctl(option, a, b), || {
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::prctl(option, a, b, c, d) }
    })
}

/// # Safety
/// The same contract as unshare(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn unshare(flags: c_int) -> c_int {
    make(
        Function::Unshare,
        by_unshare(flags),
        || next::next_call!(Unshare(flags: c_int) -> c_int),
    )
}

/// # Safety
/// The same contract as setns(2).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn setns(fd: c_int, kind: c_int) -> c_int {
    make(
        Function::Setns,
        by_setns(),
        || next::next_call!(Setns(fd: c_int, kind: c_int) -> c_int),
    )
}

/// Makes and counts such a call. `taking` is what it takes from the process.
fn make(function: Function, taking: Taking, next: impl FnOnce() -> c_int) -> c_int {
    let counted = recording::count(function);
    let taken = taking.begin();
    let result = next();
    taken.end(result != -1);
    if result == -1 {
        counted.failed(function);
    }
    result
}

/// What seccomp takes, given its mode and its filter. Programs that only test for seccomp pass no filter: then it takes
/// nothing.
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
    // Also with the two kinds of namespaces (kernel/fork.c, `check_unshare_flags` and `ksys_unshare`).
    const OWN_DIRECTORY: c_int = libc::CLONE_FS | libc::CLONE_NEWNS | libc::CLONE_NEWUSER;
    Taking {
        needs_one_thread: flags & ALONE != 0,
        directory: flags & OWN_DIRECTORY != 0,
        ..Taking::default()
    }
}

/// Only the kernel knows which namespaces the descriptor refers to. For some of them the process must have one thread.
fn by_setns() -> Taking {
    Taking {
        needs_one_thread: true,
        directory: true,
        ..Taking::default()
    }
}

fn taking(number: c_long, a: usize, b: usize, c: usize) -> Taking {
    match number {
        // The operations of seccomp(2) count from 0, the modes of prctl from 1.
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

/// Whether a system call gives up a right, or needs a process with one thread.
pub fn takes(number: c_long, a: usize, b: usize, c: usize) -> bool {
    taking(number, a, b, c).is_any()
}

/// Whether such a call has succeeded. If seccomp cannot apply a filter to all threads, it returns a thread's id, and
/// does not set errno: that is a failure, too.
fn has_succeeded(number: c_long, flags: usize, result: c_long) -> bool {
    let is_for_all = number == libc::SYS_seccomp
        && flags & libc::SECCOMP_FILTER_FLAG_TSYNC as usize != 0
        && flags & libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize == 0;
    if is_for_all { result == 0 } else { result >= 0 }
}

/// The address of the function that makes a system call for which [`takes`] is true.
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
    // SAFETY: `ensure` has found the next `syscall`. The program's own arguments; none of these system calls has more.
    let result = unsafe { next::syscall(number, a, b, c, d, e) };
    taken.end(has_succeeded(number, b, result));
    result
}

/// For a sealed process: the address of the function that makes a system call which forks; `None` for all other calls.
/// A filter may allow only the C library's code to make system calls, so the call goes through the C library. A child
/// with a stack of its own does not return into our frame, so the hook cannot mark it as a child.
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

/// The child has memory of its own, and so it has a copy of our frame.
unsafe extern "C-unwind" fn fork_by_the_c_library(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> c_long {
    next::ensure(Function::Syscall);
    // SAFETY: `ensure` has found the next `syscall`. The program's own arguments; these system calls have at most five.
    let result = unsafe { next::syscall(number, a, b, c, d, e) };
    if result == 0 {
        fork::forked();
    } else {
        sys::with_errno_kept(|| fork::end_fork(result == -1));
    }
    result
}
