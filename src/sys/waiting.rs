//! What the kernel knows about waiting, asked directly.

use std::num::NonZeroU64;
use std::ptr;

use super::rooms::with_room_for;
use super::{call, socket_option};
use crate::arch;

/// One of a socket's timeouts.
#[derive(Clone, Copy)]
pub enum Timeout {
    /// SO_RCVTIMEO.
    Receive = libc::SO_RCVTIMEO as isize,
    /// SO_SNDTIMEO.
    Send = libc::SO_SNDTIMEO as isize,
}

/// A timeout of a socket.
///
/// # Errors
/// The number of the error.
#[inline(always)]
fn timeval_of(fd: i32, which: Timeout) -> Result<libc::timeval, i32> {
    let mut value = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut length = size_of_val(&value) as libc::socklen_t;
    let arguments = [
        fd as usize,
        libc::SOL_SOCKET as usize,
        which as usize,
        (&raw mut value).addr(),
        (&raw mut length).addr(),
    ];
    // SAFETY: the kernel writes at most `length` bytes to `value`, and writes `length`.
    match unsafe { call(libc::SYS_getsockopt, arguments) } {
        0 => Ok(value),
        error => Err((-error) as i32),
    }
}

/// A timeout of a socket in nanoseconds. `None` if it has no limit, or if the socket does not support one.
///
/// # Errors
/// ENOTSOCK if `fd` is not a socket.
#[inline(never)]
pub fn socket_timeout(fd: i32, which: Timeout) -> Result<Option<NonZeroU64>, i32> {
    let value = match timeval_of(fd, which) {
        Ok(value) => value,
        Err(libc::ENOTSOCK) => return Err(libc::ENOTSOCK),
        Err(_) => return Ok(None),
    };
    let (seconds, microseconds) = (value.tv_sec as u64, value.tv_usec as u64);
    let ns = seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(microseconds.saturating_mul(1000));
    Ok(NonZeroU64::new(ns))
}

/// Does `work` while a timeout of a socket is as short as possible: one microsecond.
pub fn with_shortest_timeout<T>(fd: i32, which: Timeout, work: impl FnOnce() -> T) -> T {
    let set = |value: &libc::timeval| {
        let arguments = [
            fd as usize,
            libc::SOL_SOCKET as usize,
            which as usize,
            std::ptr::from_ref(value).addr(),
            size_of_val(value),
        ];
        // SAFETY: the kernel reads as many bytes as the call says.
        unsafe { call(libc::SYS_setsockopt, arguments) };
    };
    let before = timeval_of(fd, which).ok();
    if before.is_some() {
        set(&libc::timeval {
            tv_sec: 0,
            tv_usec: 1,
        });
    }
    let result = work();
    if let Some(before) = before {
        super::with_errno_kept(|| set(&before));
    }
    result
}

/// Whether a socket is a stream socket.
pub fn is_stream(fd: i32) -> bool {
    socket_option(fd, libc::SO_TYPE) == Some(libc::SOCK_STREAM)
}

/// Whether a socket is a TCP socket.
pub fn is_tcp(fd: i32) -> bool {
    socket_option(fd, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP)
}

/// Whether a socket is a datagram or raw socket, so that connect does not wait.
pub fn is_datagram(fd: i32) -> bool {
    let kind = socket_option(fd, libc::SO_TYPE);
    matches!(kind, Some(libc::SOCK_DGRAM | libc::SOCK_RAW))
}

/// The file type of a descriptor's file (stat(2), S_IFMT). `None` if the descriptor is not open.
#[inline(never)]
pub fn file_type(fd: i32) -> Option<u32> {
    with_room_for(|stat: *mut libc::stat| {
        // SAFETY: the kernel writes its `stat`, which has the layout of the C library's here.
        let result = unsafe { call(libc::SYS_fstat, [fd as usize, stat.addr(), 0, 0, 0]) };
        // SAFETY: the kernel has written it.
        (result == 0).then(|| unsafe { (*stat).st_mode } & libc::S_IFMT)
    })
}

/// The flags of F_GETFL for a descriptor; less than 0 if it is not open.
#[inline(never)]
pub fn status_flags(fd: i32) -> i32 {
    let arguments = [fd as usize, libc::F_GETFL as usize, 0, 0, 0];
    // SAFETY: the call only returns a number.
    unsafe { call(libc::SYS_fcntl, arguments) as i32 }
}

/// How many times the calling thread has slept in the kernel or given up the processor voluntarily.
#[inline(never)]
pub fn sleeps() -> i64 {
    with_room_for(|usage: *mut libc::rusage| {
        let which = libc::RUSAGE_THREAD as usize;
        // SAFETY: the kernel writes a `rusage`.
        unsafe { call(libc::SYS_getrusage, [which, usage.addr(), 0, 0, 0]) };
        // SAFETY: zeroes, or what the kernel has written.
        unsafe { (*usage).ru_nvcsw }
    })
}

/// Whether a read from a terminal returns at once or after the terminal's own timeout, even without input. That is so
/// if the program has set it (termios(3), VMIN), or if the terminal belongs to another process group. `None` if the
/// descriptor is not a terminal.
#[inline(never)]
pub fn is_impatient_terminal(fd: i32) -> Option<bool> {
    /// The kernel's structure (asm-generic/termbits.h).
    #[repr(C)]
    struct Termios {
        flags: [u32; 4],
        line: u8,
        characters: [u8; 19],
    }
    const LOCAL: usize = 3;
    const VMIN: usize = 6;
    let mut termios = Termios {
        flags: [0; 4],
        line: 0,
        characters: [0; 19],
    };
    let mut group: i32 = 0;
    let ask = |request: u64, to: usize| {
        // SAFETY: the kernel writes the result of the request, and `to` is the address of room for it.
        unsafe { call(libc::SYS_ioctl, [fd as usize, request as usize, to, 0, 0]) }
    };
    if ask(libc::TCGETS, (&raw mut termios).addr()) != 0 {
        return None;
    }
    let is_canonical = termios.flags[LOCAL] & libc::ICANON != 0;
    let asks_for_none = !is_canonical && termios.characters[VMIN] == 0;
    let is_another_s = ask(libc::TIOCGPGRP, (&raw mut group).addr()) == 0
        // SAFETY: the call only returns a number.
        && unsafe { call(libc::SYS_getpgid, [0; 5]) } != group as isize;
    Some(asks_for_none || is_another_s)
}

/// Which of these events a descriptor has now (poll(2)).
#[inline(never)]
pub fn poll_now(fd: i32, events: i16) -> i16 {
    let mut entry = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: the entry may be written.
    unsafe { arch::poll_now(&raw mut entry) };
    entry.revents
}

/// A descriptor of our own that exists during a wait.
pub struct Passing(i32);

impl Passing {
    /// A timer that becomes readable after `ns` nanoseconds. `None` if it cannot be made.
    pub fn timer(ns: u64) -> Option<Passing> {
        let clock = libc::CLOCK_MONOTONIC as usize;
        let flags = libc::TFD_CLOEXEC as usize;
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = libc::itimerspec {
            it_interval: zero,
            it_value: libc::timespec {
                tv_sec: (ns / 1_000_000_000) as i64,
                tv_nsec: (ns % 1_000_000_000) as i64,
            },
        };
        // SAFETY: the calls make a descriptor and set its timer; the kernel only reads `value`.
        unsafe {
            let fd = call(libc::SYS_timerfd_create, [clock, flags, 0, 0, 0]);
            let timer = Passing(i32::try_from(fd).ok().filter(|&fd| fd >= 0)?);
            let value = (&raw const value).addr();
            let set = call(libc::SYS_timerfd_settime, [fd as usize, 0, value, 0, 0]);
            (set == 0).then_some(timer)
        }
    }

    /// An epoll set. `None` if it cannot be made.
    pub fn set() -> Option<Passing> {
        let flags = libc::EPOLL_CLOEXEC as usize;
        // SAFETY: the call only makes a descriptor.
        let fd = unsafe { call(libc::SYS_epoll_create1, [flags, 0, 0, 0, 0]) };
        i32::try_from(fd).ok().filter(|&fd| fd >= 0).map(Passing)
    }

    /// Adds a descriptor to an epoll set. A result less than 0 is the negated number of an error.
    pub fn add(&self, fd: i32, events: i16) -> isize {
        let mut event = libc::epoll_event {
            events: u32::from(events.cast_unsigned()),
            u64: 0,
        };
        let add = libc::EPOLL_CTL_ADD as usize;
        let event = (&raw mut event).addr();
        // SAFETY: the kernel reads one event.
        unsafe {
            call(
                libc::SYS_epoll_ctl,
                [self.0 as usize, add, fd as usize, event, 0],
            )
        }
    }

    /// The descriptor.
    pub fn fd(&self) -> i32 {
        self.0
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        unsafe { call(libc::SYS_close, [self.0 as usize, 0, 0, 0, 0]) };
    }
}

/// Whether an interrupted call continues after the program's handler for this signal (SA_RESTART). `None` if the
/// program has no handler for it.
#[inline(never)]
pub fn handler_restarts(signal: i32) -> Option<bool> {
    /// The kernel's structure (asm/signal.h).
    #[repr(C)]
    struct Action {
        handler: usize,
        flags: u64,
        restorer: usize,
        mask: u64,
    }
    let mut action = Action {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let arguments = [
        signal as usize,
        0,
        (&raw mut action).addr(),
        size_of::<u64>(),
        0,
    ];
    // SAFETY: the kernel writes an action.
    let result = unsafe { call(libc::SYS_rt_sigaction, arguments) };
    let is_handled = result == 0 && !matches!(action.handler, libc::SIG_DFL | libc::SIG_IGN);
    is_handled.then_some(action.flags & libc::SA_RESTART as u64 != 0)
}

/// Writes to an address of the program's. False if it cannot be written.
#[inline(never)]
pub fn put<T: Copy>(to: *mut T, value: T) -> bool {
    let bytes = size_of::<T>();
    let [ours, program_s] = [ptr::from_ref(&value).addr(), to.addr()].map(|at| libc::iovec {
        iov_base: ptr::without_provenance_mut(at),
        iov_len: bytes,
    });
    let arguments = [
        super::pid() as usize,
        (&raw const ours).addr(),
        1,
        (&raw const program_s).addr(),
        1,
    ];
    // SAFETY: one end is a value of ours; the kernel checks the other.
    let result = unsafe { call(libc::SYS_process_vm_writev, arguments) };
    match result {
        0.. => result == bytes as isize,
        error if error == -(libc::EFAULT as isize) || to.is_null() => false,
        _ => {
            // SAFETY: the kernel refuses the call, so the program's pointer is trusted.
            unsafe { to.write_unaligned(value) };
            true
        }
    }
}
