//! `clone`, and the system calls that make a process: no handler of fork tells of a child that is made so.

use std::ffi::{c_int, c_long, c_void};
use std::ptr;

use libc::pid_t;
use weir_record::functions::Function;
use weir_record::region::Circumstance;

use crate::arch;
use crate::life::{end, fork};
use crate::linking::next;
use crate::process::{self, vfork};
use crate::{recording, sys, thread};

type Body = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

/// What a child begins with. It stands on its parent's stack, of which the child has a copy.
struct Start {
    body: Body,
    argument: *mut c_void,
}

/// The first function of a child that has memory of its own.
unsafe extern "C-unwind" fn begin(start: *mut c_void) -> c_int {
    // SAFETY: what `make` below has passed.
    let Start { body, argument } = unsafe { start.cast::<Start>().read() };
    fork::forked();
    // SAFETY: as the program calls clone.
    let status = unsafe { body(argument) };
    // The C library ends the child with that, by a system call.
    end::end(status);
    status
}

/// Whether a child has memory of its own, and so is an image of its own. It may have another thread area, in which nothing of
/// ours is: then its calls pass by.
fn has_own_memory(flags: u64) -> bool {
    flags & libc::CLONE_VM as u64 == 0
}

/// Whether a child has its parent's memory, and descriptors of its own.
fn borrows_memory(flags: u64) -> bool {
    flags & libc::CLONE_VM as u64 != 0 && flags & libc::CLONE_FILES as u64 == 0
}

/// A child that goes on beside its parent with the same thread-local storage counts into its parent's slot, and each loses what
/// the other adds at the same time.
fn note_shared_area(flags: u64) {
    let has = |flag: c_int| flags & u64::from(flag.cast_unsigned()) != 0;
    if has(libc::CLONE_VM)
        && !has(libc::CLONE_SETTLS)
        && !has(libc::CLONE_VFORK)
        && let Some(header) = process::header()
    {
        header.note(Circumstance::SharedThreadArea);
    }
}

/// Defines a hook: its row and its name.
macro_rules! hooks {
    ($($function:ident = $name:ident;)+) => {$(
        /// # Safety
        /// As clone(2) has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name(
            body: Option<Body>,
            stack: *mut c_void,
            flags: c_int,
            argument: *mut c_void,
            parents_id: *mut pid_t,
            tls: *mut c_void,
            childs_id: *mut pid_t,
        ) -> c_int {
            make(Function::$function, flags, body, argument, |body, argument| {
                // Those after the fourth are pointers, used or not.
                next::next_call!($function(
                    body: Option<Body>, stack: *mut c_void, flags: c_int, argument: *mut c_void, parents_id: *mut pid_t,
                    tls: *mut c_void, childs_id: *mut pid_t
                ) -> c_int)
            })
        }
    )+};
}

hooks! {
    Clone = clone;
    CloneAlias = __clone;
}

fn make(
    function: Function,
    flags: c_int,
    body: Option<Body>,
    argument: *mut c_void,
    next: impl FnOnce(Option<Body>, *mut c_void) -> c_int,
) -> c_int {
    recording::count(function);
    next::ensure(function);
    let flags = u64::from(flags.cast_unsigned());
    let pid = if let Some(body) = body
        && has_own_memory(flags)
    {
        let has_begun = fork::begin_fork();
        let mut start = Start { body, argument };
        let pid = next(Some(begin), (&raw mut start).cast());
        if has_begun {
            sys::with_errno_kept(|| fork::end_fork(pid == -1));
        }
        pid
    } else {
        if borrows_memory(flags) {
            vfork::begin();
        }
        note_shared_area(flags);
        next(body, argument)
    };
    if pid == -1 {
        recording::count_failure(function);
    }
    pid
}

/// Where a system call goes on that may make a process; none for all others. What follows the number is as of syscall(2).
pub fn going_on(number: c_long, first: usize) -> Option<usize> {
    match number {
        arch::numbers::FORK => {}
        libc::SYS_clone if has_own_memory(first as u64) => {}
        libc::SYS_clone => {
            note_shared_area(first as u64);
            return None;
        }
        libc::SYS_clone3 => {
            // The kernel may refuse to read it, and then so do we.
            match flags_of(first) {
                Some(flags) if has_own_memory(flags) => begin_fork(),
                Some(flags) => note_shared_area(flags),
                None => {}
            }
            return Some((clone3 as *const ()).addr());
        }
        _ => return None,
    }
    begin_fork();
    Some((fork as *const ()).addr())
}

fn begin_fork() {
    fork::begin_fork();
}

/// The first word of what clone3 is given, its flags (sched.h, `struct clone_args`).
fn flags_of(arguments: usize) -> Option<u64> {
    if sys::is_sealed() {
        return None;
    }
    let mut flags = [0; size_of::<u64>()];
    let part = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(arguments),
        iov_len: flags.len(),
    };
    let read = sys::peek(&[part], &mut flags)?;
    (read == flags.len()).then(|| u64::from_ne_bytes(flags))
}

/// Defines syscall(2) once more, with the child told that it is one: `told` is called with the result and the first argument. The
/// child has a copy of the stack, and so of our frame; or it begins on one of its own, and returns to what stands there, as
/// from the C library's function.
macro_rules! telling {
    ($($name:ident = $told:path;)+) => {$(
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            arch::system_call_then!($told)
        }
    )+};
}

telling! {
    fork = forked;
    clone3 = cloned;
}

/// What the program is told of a call that makes a process with memory of its own.
extern "C" fn forked(result: c_long, _: usize) -> c_long {
    if result == 0 {
        fork::forked();
        return result;
    }
    told(result)
}

/// What the program is told of clone3. A child that shares the caller's memory is left as it is.
extern "C" fn cloned(result: c_long, arguments: usize) -> c_long {
    if result == 0 {
        // SAFETY: the kernel has just read the flags there, and the child has the same memory or a copy.
        let flags = unsafe { ptr::with_exposed_provenance::<u64>(arguments).read_unaligned() };
        if has_own_memory(flags) {
            fork::forked();
        }
        return result;
    }
    told(result)
}

fn told(result: c_long) -> c_long {
    let has_failed = (-4095..0).contains(&result);
    if thread::is_forking() {
        fork::end_fork(has_failed);
    }
    if has_failed {
        sys::set_errno(-result as c_int);
        return -1;
    }
    result
}
