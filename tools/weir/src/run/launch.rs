//! Starts the program: fork, and exec with everything as weir was given it.

use std::ffi::{CString, OsString, c_char};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use libc::pid_t;
use rustix::pipe::{PipeFlags, pipe_with};

use super::inherited;
use super::signals::Before;

/// Forks and executes a program, which is looked for as execvp(3) does it, with weir's own PATH.
/// Its id is that of a child that nobody has waited for.
///
/// # Errors
/// Where there is no process to be had, or the program cannot be executed.
pub fn start(program: &[OsString], environment: &[CString], signals: &Before) -> io::Result<pid_t> {
    let arguments = program
        .iter()
        .map(|argument| CString::new(argument.clone().into_vec()))
        .collect::<Result<Vec<_>, _>>()?;
    let argv = pointers(&arguments);
    let envp = pointers(environment);
    // Closed by a successful exec; else the error's number comes through.
    let (news, ours) = pipe_with(PipeFlags::CLOEXEC)?;

    // SAFETY: weir has one thread at this time, and the child does nothing but become the program.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: this is the child of that fork; both lists end in null.
        0 => unsafe { become_program(&argv, &envp, signals, ours.as_raw_fd()) },
        pid => {
            drop(ours);
            match exec_error(news) {
                None => Ok(pid),
                Some(error) => {
                    // SAFETY: a child of ours, of which no status is wanted.
                    unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                    Err(error)
                }
            }
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let mut pointers: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
    pointers.push(ptr::null());
    pointers
}

/// # Safety
/// In a child just forked; `argv` and `envp` are strings with a null at the end.
unsafe fn become_program(
    argv: &[*const c_char],
    envp: &[*const c_char],
    signals: &Before,
    news: RawFd,
) -> ! {
    for fd in inherited::closed_streams() {
        // SAFETY: nobody in this process uses it: it is where Rust's runtime opened /dev/null.
        unsafe { libc::close(fd) };
    }
    signals.restore();
    // SAFETY: as the caller promises.
    unsafe { libc::execvpe(argv[0], argv.as_ptr(), envp.as_ptr()) };
    let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    // SAFETY: the bytes of a number, and the end of this process without what belongs to its parent.
    unsafe {
        libc::write(news, ptr::from_ref(&error).cast(), size_of_val(&error));
        libc::_exit(127)
    }
}

/// Waits for the exec; what it failed with, if it did.
fn exec_error(news: OwnedFd) -> Option<io::Error> {
    let mut number = [0; 4];
    std::fs::File::from(news)
        .read_exact(&mut number)
        .ok()
        .map(|()| io::Error::from_raw_os_error(i32::from_ne_bytes(number)))
}
