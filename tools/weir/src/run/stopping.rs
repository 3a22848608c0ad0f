//! A program that stops (SIGSTOP, SIGTSTP, a read from the terminal in the background): weir stops, too, so that the process
//! that started weir, such as a shell with job control, sees the same as of the program; and weir continues with it.

use std::ffi::{CStr, CString, c_int};
use std::io::Read;
use std::thread;
use std::time::Duration;

use libc::pid_t;

use super::signals;
use crate::{inherited, terminal};

/// A program that is continued within this time has not stopped: after Ctrl-Z and `fg` weir may come to know of the stop when
/// both are continued.
const SETTLING: Duration = Duration::from_millis(20);
/// How often the watcher looks whether the program goes on.
const BETWEEN_LOOKS: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The program, a child that has not been waited for, was stopped by a signal. Returns when weir has been continued, and has
/// continued the program. Returns at once if the program runs again already, or if it has a process group of its own: its stops
/// do not concern weir's caller.
pub fn stop_with(program: pid_t, signal: c_int) {
    thread::sleep(SETTLING);
    let Some(stat) = Stat::of(program) else {
        return;
    };
    // SAFETY: no memory is involved.
    let is_of_own_group = unsafe { libc::getpgid(program) == libc::getpgrp() };
    if !is_of_own_group || !stat.is_stopped() {
        return;
    }
    // If a process continues only the program, weir must continue, too.
    let Some(watcher) = Watcher::start(&stat) else {
        return;
    };
    terminal::suspend();
    stop_by(signal);
    terminal::resume();
    drop(watcher);
    // SAFETY: no memory is involved; the pid is still the child's.
    unsafe { libc::kill(program, libc::SIGCONT) };
}

/// Stops all of weir. By a signal to this thread: who sends one to the process may go on for a moment.
fn stop_by(signal: c_int) {
    let signal = match inherited::is_ignored(signal) {
        true => libc::SIGSTOP,
        false => signal,
    };
    signals::stop_by(signal);
}

/// Where to read the state of a process (proc_pid_stat(5)).
struct Stat(CString);

impl Stat {
    fn of(pid: pid_t) -> Option<Stat> {
        CString::new(format!("/proc/{pid}/stat")).ok().map(Stat)
    }

    /// Whether the process has stopped. Allocates nothing.
    fn is_stopped(&self) -> bool {
        let mut text = [0; 512];
        let length = read(&self.0, &mut text).unwrap_or(0);
        // The name in parentheses may hold anything.
        let name_end = text[..length].iter().rposition(|&byte| byte == b')');
        name_end.and_then(|at| text.get(at + 2)) == Some(&b'T')
    }
}

fn read(path: &CStr, into: &mut [u8]) -> Option<usize> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).ok()?;
    std::fs::File::from(file).read(into).ok()
}

/// A process that continues weir once the program has been continued, or is gone.
struct Watcher(pid_t);

impl Watcher {
    fn start(stat: &Stat) -> Option<Watcher> {
        // SAFETY: the child makes system calls only, and allocates nothing: another thread may have held a lock.
        match unsafe { libc::fork() } {
            -1 => None,
            0 => watch(stat),
            pid => Some(Watcher(pid)),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // SAFETY: a child of weir's own, which nobody else waits for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// In the watcher.
fn watch(stat: &Stat) -> ! {
    // SAFETY: system calls of this process; the time may be read.
    unsafe {
        let weir = libc::getppid();
        // What stops weir's group must not stop it.
        libc::setpgid(0, 0);
        while libc::getppid() == weir {
            libc::nanosleep(&BETWEEN_LOOKS, std::ptr::null_mut());
            if !stat.is_stopped() && libc::getppid() == weir {
                libc::kill(weir, libc::SIGCONT);
            }
        }
        libc::_exit(0)
    }
}
