//! The signals that weir takes while a program runs, and what it does with them.
//!
//! A terminal sends its signals both to weir and to the program; weir runs until the program has
//! ended. A signal from another process to weir is meant for the program, and passed on; but not what the program sends to its
//! process group, which it has got itself, or to its parent.

use std::fs::File;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, pid_t, sigset_t};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::inherited;

/// What weir takes: what is passed on, and the news of the program's end.
const TAKEN: [c_int; 7] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCHLD,
];

/// The signals as they were before weir took its own.
#[derive(Clone, Copy)]
pub struct Before {
    mask: sigset_t,
    sigchld: libc::sighandler_t,
}

/// Holds weir's signals back in this thread and in those it starts, so that [`wait`] gets them.
pub fn hold() -> Before {
    let sigchld = disposition(libc::SIGCHLD);
    let mut mask = MaybeUninit::uninit();
    // SAFETY: no handlers are installed; a mask that may be read and one that may be written. That call
    // does not fail for these arguments, so `mask` is written.
    let mask = unsafe {
        // Where it is ignored, children leave no status.
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::pthread_sigmask(libc::SIG_BLOCK, &taken(), mask.as_mut_ptr());
        mask.assume_init()
    };
    Before { mask, sigchld }
}

/// Holds back in this thread and in those it starts the signal by which a terminal stops its processes (Ctrl-Z). Weir stops when the
/// program has, and not before it has given back the terminal. Programs that are started get the mask of [`hold`].
pub fn hold_stops() {
    let mut stops = empty();
    // SAFETY: a whole set, and the number of a signal.
    unsafe {
        libc::sigaddset(&mut stops, libc::SIGTSTP);
        libc::pthread_sigmask(libc::SIG_BLOCK, &stops, ptr::null_mut());
    }
}

/// Stops weir by a signal, which may be held back. Returns when weir has been continued.
pub fn stop_by(signal: c_int) {
    let mut set = empty();
    let mut before = empty();
    // SAFETY: sets that may be read and written, the number of a signal. Of signals that stop, weir handles none. One that waits already
    // is forgotten by the kernel when weir is continued.
    unsafe {
        libc::sigaddset(&mut set, signal);
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, &mut before);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut());
    }
}

/// What a signal does that has no handler.
fn disposition(signal: c_int) -> libc::sighandler_t {
    if inherited::is_ignored(signal) {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    }
}

impl Before {
    /// Puts everything back, SIGPIPE and SIGXFSZ included; for the child between fork and exec.
    pub fn restore(&self) {
        // SAFETY: dispositions that weir was started with, and a mask that the kernel gave.
        unsafe {
            libc::signal(libc::SIGPIPE, inherited::sigpipe());
            libc::signal(libc::SIGCHLD, self.sigchld);
            libc::signal(libc::SIGXFSZ, inherited::sigxfsz());
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, ptr::null_mut());
        }
    }
}

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// Its number.
    pub signal: c_int,
    /// Whether it is for the program, which has not got it: sent by another process, not by the kernel for a terminal or a child.
    pub sent: bool,
}

/// Waits so long for one of the signals that were held back.
pub fn wait(time: Duration) -> Option<Came> {
    wait_for(&taken(), time)
}

/// A descriptor that is readable while one of the signals that were held back waits. None where none can be made.
pub fn descriptor() -> Option<OwnedFd> {
    // SAFETY: a set that may be read.
    let made = unsafe { libc::signalfd(-1, &taken(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    // SAFETY: a new descriptor, which is nobody else's.
    (made >= 0).then(|| unsafe { OwnedFd::from_raw_fd(made) })
}

/// Something else that is awaited together with signals, in the same system call.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// A [`descriptor`] for the signals.
    pub signals: &'a OwnedFd,
    /// What is to become readable.
    pub other: BorrowedFd<'a>,
}

/// What [`wait_beside`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// A signal came.
    Signal(Came),
    /// The other descriptor is readable, or may be.
    Readable,
    /// The time has passed, and it is not.
    Nothing,
}

/// Waits so long for one of the signals that were held back, or for the other descriptor.
pub fn wait_beside(beside: Beside<'_>, time: Duration) -> Waited {
    let mut awaited = [
        PollFd::new(beside.signals, PollFlags::IN),
        PollFd::from_borrowed_fd(beside.other, PollFlags::IN),
    ];
    let limit = Timespec::try_from(time).ok();
    match poll(&mut awaited, limit.as_ref()) {
        Ok(0) => return Waited::Nothing,
        Ok(_) => {}
        // It would fail at once again.
        Err(_) => return wait_blindly(time),
    }
    let [signals, other] = awaited.map(|of| of.revents());
    if !signals.is_empty() {
        return wait(Duration::ZERO).map_or(Waited::Nothing, Waited::Signal);
    }
    match other.contains(PollFlags::IN) {
        true => Waited::Readable,
        // It would wake us at once again.
        false => wait_blindly(time),
    }
}

/// Waits for signals alone, as the other descriptor cannot be asked: it may be readable.
fn wait_blindly(time: Duration) -> Waited {
    wait(time).map_or(Waited::Readable, Waited::Signal)
}

/// Waits so long for a signal that is to be passed on; takes no news of the program's end.
pub fn wait_for_sent(time: Duration) -> Option<c_int> {
    let mut set = taken();
    // SAFETY: a whole set, and the number of a signal.
    unsafe { libc::sigdelset(&mut set, libc::SIGCHLD) };
    wait_for(&set, time)
        .filter(|came| came.sent)
        .map(|came| came.signal)
}

fn wait_for(signals: &sigset_t, time: Duration) -> Option<Came> {
    let time = libc::timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: a `siginfo_t` is made of numbers.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: a set and a time that may be read, and information that may be written.
    let signal = unsafe { libc::sigtimedwait(signals, &mut info, &time) };
    // Not `then_some`: who sent a signal is asked only where one came.
    (signal > 0).then(|| Came {
        signal,
        // What the kernel sends has codes above SI_USER, which is 0.
        sent: info.si_code <= libc::SI_USER && !is_from_within(&info),
    })
}

/// Whether a process of the program's has sent a signal, which is in weir's process group.
fn is_from_within(info: &libc::siginfo_t) -> bool {
    /// Generations between weir and the sender.
    const MOST: usize = 256;
    if info.si_code != libc::SI_USER {
        return false;
    }
    // SAFETY: kill has sent it, so its sender is known; the other calls give numbers. A sender that has gone has no group.
    let (sender, own, is_of_our_group) = unsafe {
        let sender = info.si_pid();
        let group = libc::getpgid(sender);
        (sender, libc::getpid(), group == libc::getpgrp())
    };
    let mut ancestors = std::iter::successors(Some(sender), |&pid| parent_of(pid)).take(MOST);
    sender != own && is_of_our_group && ancestors.any(|pid| pid == own)
}

/// The parent of a process. Allocates nothing: there may be no memory.
fn parent_of(pid: pid_t) -> Option<pid_t> {
    let mut path = [0; 32];
    let mut rest = &mut path[..];
    write!(rest, "/proc/{pid}/stat").ok()?;
    let unused = rest.len();
    let path = str::from_utf8(&path[..path.len() - unused]).ok()?;
    let mut text = [0; 256];
    let read = File::open(path).ok()?.read(&mut text).ok()?;
    // A name of at most 16 bytes in parentheses, which may be in it too; the state; the parent.
    let after_name = text[..read].rsplit(|&byte| byte == b')').next()?;
    let parent = after_name.split(|&byte| byte == b' ').nth(2)?;
    str::from_utf8(parent).ok()?.parse().ok()
}

/// From now on weir may write to its terminal also where the program has taken the foreground, and has not given it back
/// (`stty tostop`, SIGTTOU).
pub fn write_also_in_the_background() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGTTOU, libc::SIG_IGN) };
}

/// Sends a signal to a child that has not been waited for.
pub fn send(pid: pid_t, signal: c_int) {
    // SAFETY: no memory is involved; the pid is still the child's.
    unsafe { libc::kill(pid, signal) };
}

/// Ends weir by a signal, as the program was. Returns where the signal ends nothing.
pub fn die_of(signal: c_int) {
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a limit that may be read, dispositions and masks of this process; the signal does what
    // it does to the program as well. The program has dumped core if it was to: once is enough.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &no_core);
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        libc::signal(signal, libc::SIG_DFL);
        let mut set = empty();
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
        libc::raise(signal);
    }
}

fn taken() -> sigset_t {
    let mut set = empty();
    for signal in TAKEN {
        // SAFETY: a whole set, and the number of a signal.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

fn empty() -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` writes the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use std::io::pipe;
    use std::os::fd::AsFd;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_wait_ends_with_what_is_readable_and_no_sooner() {
        let time = Duration::from_millis(30);
        let signals = descriptor().unwrap();
        let waited = |other: BorrowedFd<'_>| {
            let began = Instant::now();
            let beside = Beside {
                signals: &signals,
                other,
            };
            (wait_beside(beside, time), began.elapsed() >= time)
        };
        let (reader, mut writer) = pipe().unwrap();
        assert_eq!(waited(reader.as_fd()), (Waited::Nothing, true));
        writer.write_all(b".").unwrap();
        assert_eq!(waited(reader.as_fd()), (Waited::Readable, false));
        // One that has an error and nothing to read, all the time.
        drop(reader);
        assert_eq!(waited(writer.as_fd()), (Waited::Readable, true));
    }
}
