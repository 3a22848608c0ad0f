//! Starts the program: a child, and an exec with all that weir inherited.
//!
//! The child runs in weir's memory until it executes the program, as with vfork(2): nothing has to be copied for a
//! process that is about to be replaced, and the error of a failed exec is in this memory.

use std::cell::Cell;
use std::ffi::{CString, OsString, c_char, c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use libc::pid_t;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::{limits, signals};

/// What the child needs of stack: paths on the way of a search, and the arguments once more for a script without
/// interpreter.
const STACK: usize = 64 * 1024;

/// What the child has to do, and the result.
struct Exec<'a> {
    argv: &'a [*const c_char],
    envp: &'a [*const c_char],
    signals: &'a signals::Before,
    limits: &'a limits::Before,
    /// What the exec failed with, if it did.
    error: Cell<c_int>,
}

/// Executes a program in a child; looks for it as execvp(3) does, with weir's own PATH.
/// Returns the id of the child, which has not been waited for.
///
/// # Errors
/// If no process can be made, or the program cannot be executed.
pub fn start(
    program: &[OsString],
    environment: &[CString],
    signals: &signals::Before,
    limits: &limits::Before,
) -> io::Result<pid_t> {
    let arguments = program
        .iter()
        .map(|argument| CString::new(argument.clone().into_vec()))
        .collect::<Result<Vec<_>, _>>()?;
    let exec = Exec {
        argv: &pointers(&arguments),
        envp: &pointers(environment),
        signals,
        limits,
        error: Cell::new(0),
    };
    let size = (STACK + size_of_val(exec.argv)).next_multiple_of(4096);
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, wherever the kernel has room.
    let stack = unsafe { mmap_anonymous(ptr::null_mut(), size, access, MapFlags::PRIVATE)? };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack's end is a multiple of 16, and all of it the child's. With CLONE_VFORK this thread continues when
    // the child has become the program, or has ended: until then this process does not use what `exec` refers to, and afterwards
    // the child does not. It does nothing that would harm the memory it shares.
    let pid = unsafe {
        libc::clone(
            become_program,
            stack.byte_add(size),
            flags,
            ptr::from_ref(&exec).cast_mut().cast(),
        )
    };
    let trouble = io::Error::last_os_error();
    // SAFETY: mapped above; the child has left it.
    let _ = unsafe { munmap(stack, size) };
    match (pid, exec.error.get()) {
        (-1, _) => Err(trouble),
        (pid, 0) => Ok(pid),
        (pid, error) => {
            // SAFETY: a child of ours, of which no status is wanted.
            unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(ptr::null());
    pointers
}

/// What the child does. It allocates nothing, takes no lock, and changes no memory but its stack, errno and the error.
extern "C" fn become_program(exec: *mut c_void) -> c_int {
    // SAFETY: what `start` passed, which waits meanwhile.
    let exec = unsafe { &*exec.cast_const().cast::<Exec<'_>>() };
    // Weir's handlers are of faults alone, so that none runs here once signals are no longer held back.
    exec.signals.restore();
    // They are of a process, not of its memory: weir keeps its own.
    exec.limits.restore();
    // SAFETY: both lists are strings, with a null at the end; `argv` has one at least, if only that.
    unsafe { libc::execvpe(*exec.argv.as_ptr(), exec.argv.as_ptr(), exec.envp.as_ptr()) };
    exec.error.set(
        io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    );
    // SAFETY: the end of this process without what belongs to its parent.
    unsafe { libc::_exit(127) }
}
