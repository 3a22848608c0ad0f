//! `clone`, and the system calls that make a process. The C library runs no handler of fork for them.

use std::ffi::{c_int, c_long, c_void};
use std::ptr;

use libc::pid_t;
use weir_record::functions::Function;
use weir_record::region::Circumstance;

use crate::arch;
use crate::life::{end, fork, inject_environment};
use crate::linking::{next, single_thread};
use crate::process::{self, vfork};
use crate::program_memory::read;
use crate::{files, recording, stacks, sys};

type Body = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

/// What a child begins with. It is on its parent's stack, of which the child has a copy.
struct Start {
    body: Body,
    argument: *mut c_void,
}

/// The first function of a child that has memory of its own.
unsafe extern "C-unwind" fn begin(start: *mut c_void) -> c_int {
    // SAFETY: `make` below passes a pointer to a `Start`, and the child has a copy of it.
    let Start { body, argument } = unsafe { start.cast::<Start>().read() };
    fork::forked();
    // SAFETY: the program passed this function and this argument to clone.
    let status = unsafe { body(argument) };
    // The C library then ends the child with this status, by a system call.
    end::end(status);
    status
}

/// Whether the flags give a child memory of its own, which makes it an image of its own. The child may also have
/// another thread area, which has no state of ours: then its calls are not counted.
fn has_own_memory(flags: u64) -> bool {
    flags & libc::CLONE_VM as u64 == 0
}

/// Whether the flags give a child its parent's memory, but descriptors of its own.
fn borrows_memory(flags: u64) -> bool {
    flags & libc::CLONE_VM as u64 != 0 && flags & libc::CLONE_FILES as u64 == 0
}

/// Notes that a child runs at the same time as its parent, in the same memory. If it also has the same thread-local storage, both
/// count into the parent's slot without locked instructions, so each may lose what the other adds. Neither takes stacks any more.
fn note_thread(flags: u64) {
    let has = |flag: c_int| flags & u64::from(flag.cast_unsigned()) != 0;
    if !has(libc::CLONE_VM) || has(libc::CLONE_VFORK) {
        return;
    }
    single_thread::end();
    if !has(libc::CLONE_FS) {
        files::part_directories();
    }
    if !has(libc::CLONE_SETTLS) {
        vfork::begin_beside();
        stacks::share();
        if let Some(header) = process::header() {
            header.note(Circumstance::SharedThreadArea);
        }
    }
}

/// Defines a hook, given its row and its name.
macro_rules! hooks {
    ($($function:ident = $name:ident;)+) => {$(
        /// # Safety
        /// The same contract as clone(2).
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
                // All arguments after the fourth are pointers, used or not.
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
    let counted = recording::count(function);
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
        note_thread(flags);
        if borrows_memory(flags) {
            inject_environment::begin_vfork();
            vfork::begin();
        }
        next(body, argument)
    };
    if pid == -1 {
        counted.failed(function);
    }
    pid
}

/// Returns the address of the function that makes a system call which makes a process; `None` for all other calls.
/// `first` is the argument after the number, as in syscall(2).
pub fn going_on(number: c_long, first: usize) -> Option<usize> {
    match number {
        arch::numbers::FORK => {}
        libc::SYS_clone if has_own_memory(first as u64) => {}
        libc::SYS_clone => {
            note_thread(first as u64);
            return None;
        }
        libc::SYS_clone3 => {
            // The flags are the first word of its argument (sched.h, `struct clone_args`).
            match read(ptr::with_exposed_provenance::<u64>(first)) {
                Some(flags) if has_own_memory(flags) => {}
                Some(flags) => {
                    note_thread(flags);
                    return None;
                }
                // A sandbox may be why. Otherwise the kernel cannot read it either.
                None => return Some((clone3 as *const ()).addr()),
            }
        }
        _ => return None,
    }
    begin_fork();
    Some((fork as *const ()).addr())
}

fn begin_fork() {
    fork::begin_fork();
}

/// Defines a replacement of syscall(2) that calls `then` with the result and the first argument, in the parent and in
/// the child. The child has a copy of the stack, and so of our frame; or it begins on a stack of its own, and returns
/// to the address on top of it, as it would from the C library's function.
macro_rules! followed {
    ($($name:ident = $then:path;)+) => {$(
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            arch::system_call_then!($then)
        }
    )+};
}

followed! {
    fork = forked;
    clone3 = cloned;
}

/// Handles the result of a call that makes a process with memory of its own, and returns what the program gets.
extern "C" fn forked(result: c_long, _: usize) -> c_long {
    if result == 0 {
        fork::forked();
        return result;
    }
    in_parent(result)
}

/// Handles the result of clone3 whose flags could not be read, and returns what the program gets. A child that shares its parent's
/// memory is left unchanged.
extern "C" fn cloned(result: c_long, arguments: usize) -> c_long {
    if result == 0 {
        // SAFETY: the call succeeded, so the kernel has read the flags there; the child has the same memory or a copy
        // of it.
        let flags = unsafe { ptr::with_exposed_provenance::<u64>(arguments).read_unaligned() };
        if has_own_memory(flags) {
            fork::forked();
        }
        return result;
    }
    in_parent(result)
}

fn in_parent(result: c_long) -> c_long {
    let has_failed = (-4095..0).contains(&result);
    fork::end_fork(has_failed);
    if has_failed {
        sys::set_errno(-result as c_int);
        return -1;
    }
    result
}
