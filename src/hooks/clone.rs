//! `clone`, and the system calls that make a process: no handler of fork tells of a child that is made so.

use std::arch::naked_asm;
use std::ffi::{c_int, c_long, c_void};

use libc::pid_t;
use weir_record::functions::Function;

use crate::{image, next, recording, sys, vfork};

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
    image::forked();
    // SAFETY: as the program calls clone.
    let status = unsafe { body(argument) };
    // The C library ends the child with that, by a system call.
    image::end(status);
    status
}

/// Whether a child has memory of its own, and so is an image of its own. Not where it gets other thread-local storage: ours
/// may not be in that.
fn has_own_memory(flags: u64) -> bool {
    flags & (libc::CLONE_VM | libc::CLONE_SETTLS) as u64 == 0
}

/// Whether a child has its parent's memory, and descriptors of its own.
fn borrows_memory(flags: u64) -> bool {
    flags & libc::CLONE_VM as u64 != 0 && flags & libc::CLONE_FILES as u64 == 0
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
            type Clone = unsafe extern "C-unwind" fn(
                Option<Body>,
                *mut c_void,
                c_int,
                *mut c_void,
                *mut pid_t,
                *mut c_void,
                *mut pid_t,
            ) -> c_int;
            make(Function::$function, flags, body, argument, |body, argument| {
                // SAFETY: what the caller promises is what the next one asks; those after the fourth are integers or
                // pointers, used or not.
                unsafe {
                    next::of::<Clone>(Function::$function)(
                        body, stack, flags, argument, parents_id, tls, childs_id,
                    )
                }
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
        image::announce_child();
        let mut start = Start { body, argument };
        let pid = next(Some(begin), (&raw mut start).cast());
        if pid == -1 {
            image::withdraw_child();
        }
        pid
    } else {
        if borrows_memory(flags) {
            vfork::begin();
        }
        next(body, argument)
    };
    if pid == -1 {
        recording::count_failure(function);
    }
    pid
}

/// Whether a system call makes a process with memory of its own, which goes on where its parent does.
pub fn forks(number: c_long, first: usize, second: usize) -> bool {
    match number {
        libc::SYS_fork => true,
        libc::SYS_clone => has_own_memory(first as u64) && second == 0,
        _ => false,
    }
}

/// Where such a call goes on.
pub fn forking() -> usize {
    (fork_by_system_call as *const ()).addr()
}

/// syscall(2), with the child told that it is one. The child has a copy of the stack, and so of our frame.
#[unsafe(naked)]
unsafe extern "C" fn fork_by_system_call() {
    naked_asm!(
        ".cfi_startproc",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "syscall",
        "mov rdi, rax",
        "jmp {forked}",
        ".cfi_endproc",
        forked = sym forked_by_system_call,
    )
}

/// What the program is told of the call.
extern "C" fn forked_by_system_call(result: c_long) -> c_long {
    match result {
        0 => image::forked(),
        -4095..0 => {
            image::withdraw_child();
            sys::set_errno(-result as c_int);
            return -1;
        }
        _ => {}
    }
    result
}
