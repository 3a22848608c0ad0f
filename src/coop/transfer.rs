//! Calls that move bytes, or make a connection, in parts.
//!
//! On a socket a call is first tried without blocking (MSG_DONTWAIT), and only where that fails does it wait. What
//! cannot be tried is asked about with poll first. In both cases the kernel's own rules are kept: what O_NONBLOCK,
//! timeouts and partial transfers mean.

use std::ffi::{c_int, c_uint, c_void};

use libc::{iovec, mmsghdr, msghdr, size_t, ssize_t};

use super::records::{self, Class, Mode};
use super::waiting::{Deadline, Parts, deadline_in, left_ns};
use super::{Way, signals};
use crate::sys;
use crate::sys::waiting::{self, Timeout};

/// So much may always be written without blocking where poll says that anything may (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = libc::PIPE_BUF;

fn fail(errno: c_int) -> isize {
    sys::set_errno(errno);
    -1
}

/// Whether a call has just failed because it would have to wait.
fn would_block(result: isize) -> bool {
    result < 0 && matches!(sys::errno(), libc::EAGAIN)
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

impl Direction {
    fn events(self) -> i16 {
        match self {
            Direction::In => libc::POLLIN,
            Direction::Out => libc::POLLOUT,
        }
    }

    fn deadline(self, mode: Mode) -> Deadline {
        deadline_in(match self {
            Direction::In => mode.receive_ns,
            Direction::Out => mode.send_ns,
        })
    }
}

/// A call without blocking, in a loop of waits: what is known once it has had to wait.
struct Patience {
    fd: c_int,
    direction: Direction,
    /// The deadline, once it has been asked for.
    deadline: Option<Deadline>,
}

/// Whether a call may wait.
enum Verdict {
    /// It has waited; it may be tried again.
    Again,
    /// It fails where it would have to wait.
    Nonblocking,
    /// The wait is the real call's.
    Left,
    /// It failed, with this errno.
    Failed(c_int),
}

impl Patience {
    fn new(fd: c_int, direction: Direction) -> Patience {
        Patience {
            fd,
            direction,
            deadline: None,
        }
    }

    /// The call would block.
    fn wait(&mut self, parts: &Parts) -> Verdict {
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => {
                let mode = records::mode(self.fd, Class::Socket);
                if mode.is_nonblocking {
                    return Verdict::Nonblocking;
                }
                if parts.way() == Way::Thread && signals::are_mixed() {
                    super::note_waits_left();
                    return Verdict::Left;
                }
                *self.deadline.insert(self.direction.deadline(mode))
            }
        };
        match parts.wait(self.fd, self.direction.events(), deadline) {
            Ok(()) => Verdict::Again,
            Err(errno) => Verdict::Failed(errno),
        }
    }
}

/// Makes a call on what cannot be tried, by `next`, once it is ready.
fn once_ready(
    parts: &Parts,
    fd: c_int,
    direction: Direction,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::mode(fd, Class::Other).is_nonblocking {
        return next();
    }
    if parts.way() == Way::Thread && signals::are_mixed() {
        super::note_waits_left();
        return parts.waiting(next);
    }
    match parts.wait_until_ready(fd, direction.events(), None) {
        Ok(()) => next(),
        Err(errno) => fail(errno),
    }
}

/// Receives up to `size` bytes (0 where it is not known how many): `now` with flags more, or `next` as the program
/// asked for it. `flags` are the program's.
pub fn receive(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    // These never wait.
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0 {
        return next();
    }
    match records::class(fd) {
        Class::Unwaitable => next(),
        Class::Other => once_ready(parts, fd, Direction::In, next),
        Class::Socket => {
            let mut patience = Patience::new(fd, Direction::In);
            // Where each call has to wait for an answer, the try is a call too many.
            let mut is_tried = parts.way() == Way::Thread || !records::expects_wait(fd);
            loop {
                if is_tried {
                    let result = now(libc::MSG_DONTWAIT);
                    if !would_block(result) {
                        let is_short = (1..size as ssize_t).contains(&result);
                        records::expect_wait(fd, is_short || parts.has_waited());
                        return result;
                    }
                }
                match patience.wait(parts) {
                    Verdict::Again => is_tried = true,
                    Verdict::Nonblocking if is_tried => return fail(libc::EAGAIN),
                    Verdict::Nonblocking => return next(),
                    Verdict::Left => return parts.waiting(&next),
                    Verdict::Failed(errno) => return fail(errno),
                }
            }
        }
    }
}

/// Receives all of `size` bytes, if MSG_WAITALL is among `flags` and no end or error comes before; `now` is told from
/// where on, and flags more.
pub fn receive_parts(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let is_whole = flags & libc::MSG_WAITALL != 0 && flags & libc::MSG_PEEK == 0;
    if !is_whole {
        return receive(parts, fd, flags, size, |more| now(0, more), next);
    }
    let mut done = 0;
    loop {
        // What is not there yet is waited for here, not in the kernel.
        let result = receive(parts, fd, flags, 0, |more| now(done, more), &next);
        match usize::try_from(result) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(_) if done > 0 => break,
            Err(_) => return result,
        }
        if done >= size || records::class(fd) != Class::Socket || !waiting::is_stream(fd) {
            break;
        }
    }
    done as ssize_t
}

/// Sends all of `size` bytes: `now` is told from where on, and flags more; `piece`, for what is no socket, from where on
/// and how many; `next` is the call as the program made it.
pub fn send(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & libc::MSG_DONTWAIT != 0 {
        return next();
    }
    match records::class(fd) {
        Class::Unwaitable => next(),
        Class::Other => send_to_other(parts, fd, size, piece, next),
        Class::Socket => send_to_socket(parts, fd, size, now, next),
    }
}

fn send_to_socket(
    parts: &Parts,
    fd: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let mut patience = Patience::new(fd, Direction::Out);
    let mut done = 0;
    // A call that has sent something raises no SIGPIPE when it cannot go on.
    let quiet = |done| if done > 0 { libc::MSG_NOSIGNAL } else { 0 };
    loop {
        let result = now(done, libc::MSG_DONTWAIT | quiet(done));
        match usize::try_from(result) {
            Ok(bytes) => {
                done += bytes;
                if done >= size || bytes == 0 {
                    return done as ssize_t;
                }
            }
            Err(_) if would_block(result) => {}
            Err(_) if done > 0 => return done as ssize_t,
            Err(_) => return result,
        }
        let failed = |errno| {
            if done > 0 {
                done as ssize_t
            } else {
                fail(errno)
            }
        };
        match patience.wait(parts) {
            Verdict::Again => {}
            Verdict::Nonblocking => return failed(libc::EAGAIN),
            Verdict::Left if done == 0 => return parts.waiting(&next),
            Verdict::Left => match usize::try_from(parts.waiting(|| now(done, quiet(done)))) {
                Ok(bytes) => return (done + bytes) as ssize_t,
                Err(_) => return done as ssize_t,
            },
            Verdict::Failed(errno) => return failed(errno),
        }
    }
}

fn send_to_other(
    parts: &Parts,
    fd: c_int,
    size: size_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if size <= PIPE_BUF
        || parts.way() == Way::Thread
        || records::mode(fd, Class::Other).is_nonblocking
    {
        return once_ready(parts, fd, Direction::Out, next);
    }
    let mut done = 0;
    while done < size {
        let result = once_ready(parts, fd, Direction::Out, || {
            piece(done, (size - done).min(PIPE_BUF))
        });
        match usize::try_from(result) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(_) if done > 0 => break,
            Err(_) => return result,
        }
    }
    done as ssize_t
}

/// A part of what a vector leads to: where `done` bytes of it end, what is left of the element there.
///
/// # Safety
/// The array and its count are as the kernel has read them.
unsafe fn rest_of(array: *const iovec, count: usize, done: usize) -> Option<(*mut c_void, usize)> {
    let mut before = 0;
    for index in 0..count {
        // SAFETY: as the caller promises.
        let element = unsafe { array.add(index).read_unaligned() };
        if done < before + element.iov_len {
            let at = done - before;
            // SAFETY: within the element.
            return Some((
                unsafe { element.iov_base.byte_add(at) },
                element.iov_len - at,
            ));
        }
        before += element.iov_len;
    }
    None
}

/// The size of what a vector leads to.
///
/// # Safety
/// As above.
unsafe fn size_of(array: *const iovec, count: usize) -> usize {
    // SAFETY: as the caller promises.
    (0..count).fold(0, |sum: usize, index| unsafe {
        sum.saturating_add(array.add(index).read_unaligned().iov_len)
    })
}

/// Sends all that a vector leads to. `now` sends it from its beginning, with flags more; `rest` sends some bytes.
///
/// # Safety
/// As of sendmsg(2). The vector may not be readable.
pub unsafe fn send_parts(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    vector: impl Fn() -> (*const iovec, usize),
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut c_void, size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & libc::MSG_DONTWAIT != 0 {
        return next();
    }
    match records::class(fd) {
        Class::Unwaitable => next(),
        Class::Other => once_ready(parts, fd, Direction::Out, next),
        Class::Socket => {
            // How much there is to send is known once the kernel has read the vector: it has sent some of it.
            let total = std::cell::Cell::new(usize::MAX);
            let again = |done: usize, more: c_int| {
                if done == 0 {
                    let sent = now(more);
                    if sent > 0 {
                        let (array, count) = vector();
                        // SAFETY: the kernel has read it.
                        total.set(unsafe { size_of(array, count) });
                    }
                    return sent;
                }
                let (array, count) = vector();
                // SAFETY: as above.
                match unsafe { rest_of(array, count, done) } {
                    Some((from, size)) => rest(from, size, more),
                    None => 0,
                }
            };
            send_to_socket(
                parts,
                fd,
                usize::MAX,
                |done, more| {
                    if done >= total.get() {
                        0
                    } else {
                        again(done, more)
                    }
                },
                next,
            )
        }
    }
}

/// Receives messages one after the other; `one` receives the next, with flags more, or all that are there.
///
/// # Safety
/// As of recvmmsg(2).
pub unsafe fn receive_many(
    parts: &Parts,
    fd: c_int,
    count: c_uint,
    flags: c_int,
    timeout: *const libc::timespec,
    now: impl Fn(c_uint, c_int) -> c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    let never_waits = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE;
    if flags & never_waits != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    // The time is looked at after each message only (recvmmsg(2), BUGS).
    // SAFETY: as the caller promises, NULL or a time.
    let bound = unsafe { timeout.as_ref() };
    let deadline = deadline_in(bound.map(|time| super::many::ns_of(*time)));
    let mut done: c_uint = 0;
    loop {
        let result = receive(
            parts,
            fd,
            flags,
            0,
            |more| now(done, more) as ssize_t,
            || next() as ssize_t,
        );
        match c_uint::try_from(result) {
            Ok(0) => break,
            Ok(messages) => done += messages,
            Err(_) if done > 0 => break,
            Err(_) => return -1,
        }
        let is_enough = done >= count || flags & libc::MSG_WAITFORONE != 0;
        if is_enough || left_ns(deadline) == Some(0) {
            break;
        }
    }
    done as c_int
}

/// Sends messages one after the other, each by `one`, which writes down how much it has sent.
///
/// # Safety
/// As of sendmmsg(2).
pub unsafe fn send_many(
    parts: &Parts,
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    one: impl Fn(&Parts, *const msghdr) -> ssize_t,
    next: impl Fn() -> c_int,
) -> c_int {
    if flags & libc::MSG_DONTWAIT != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    // UIO_MAXIOV of the kernel: more are cut.
    let count = count.min(1024);
    for index in 0..count {
        // SAFETY: as the caller promises: the array has as many.
        let message = unsafe { messages.add(index as usize) };
        // SAFETY: computes an address.
        let sent = one(parts, unsafe { &raw const (*message).msg_hdr });
        match c_uint::try_from(sent) {
            // SAFETY: the kernel would write it.
            Ok(bytes) => unsafe { (&raw mut (*message).msg_len).write_unaligned(bytes) },
            Err(_) if index > 0 => return index as c_int,
            Err(_) => return -1,
        }
    }
    count as c_int
}

/// Accepts a connection. What accept does is wait; but where coroutines run it must not be called before there is
/// a connection.
pub fn accept(parts: &Parts, fd: c_int, next: impl Fn() -> c_int) -> c_int {
    if records::class(fd) != Class::Socket {
        return next();
    }
    let mode = records::mode(fd, Class::Socket);
    if mode.is_nonblocking {
        return next();
    }
    if parts.way() == Way::Thread {
        return parts.waiting(next);
    }
    match parts.wait_until_ready(fd, libc::POLLIN, Direction::In.deadline(mode)) {
        Ok(()) => next(),
        Err(errno) => fail(errno) as c_int,
    }
}

/// How long a coroutine lets others run before it tries again to connect to a listener whose queue is full.
const RETRY_NS: u64 = 1_000_000;

/// Makes a connection.
///
/// A blocking socket can be told to connect without O_NONBLOCK, which others would see, by its own timeout: the
/// call then waits for one tick of the kernel's at most, and the connection goes on being made.
pub fn connect(parts: &Parts, fd: c_int, next: impl Fn() -> c_int) -> c_int {
    if records::class(fd) != Class::Socket || waiting::is_datagram(fd) {
        return next();
    }
    let mode = records::mode(fd, Class::Socket);
    if mode.is_nonblocking {
        return next();
    }
    if parts.way() == Way::Thread {
        return parts.waiting(next);
    }
    let deadline = Direction::Out.deadline(mode);
    loop {
        let result = waiting::with_shortest_timeout(fd, Timeout::Send, &next);
        if result == 0 {
            return 0;
        }
        let waited = match sys::errno() {
            libc::EINPROGRESS => parts.wait(fd, libc::POLLOUT, deadline),
            // A Unix domain socket, which has no connection under way.
            libc::EAGAIN if left_ns(deadline) == Some(0) => return -1,
            libc::EAGAIN => match parts.sleep(RETRY_NS) {
                Ok(()) => continue,
                failed => failed,
            },
            _ => return result,
        };
        let errno = match waited {
            Ok(()) => sys::socket_option(fd, libc::SO_ERROR).unwrap_or(libc::EBADF),
            Err(libc::EAGAIN) => libc::EINPROGRESS,
            Err(errno) => errno,
        };
        return match errno {
            0 => 0,
            errno => fail(errno) as c_int,
        };
    }
}

/// Moves bytes from one descriptor to another: waits for the one to have some and the other to take them, and calls
/// `piece` with how many.
pub fn relay(
    parts: &Parts,
    from: c_int,
    to: c_int,
    size: size_t,
    piece: impl Fn(size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let wait_for = |fd, direction: Direction| match records::class(fd) {
        Class::Unwaitable => Ok(()),
        class => {
            let mode = records::mode(fd, class);
            if mode.is_nonblocking {
                return Ok(());
            }
            parts.wait_until_ready(fd, direction.events(), direction.deadline(mode))
        }
    };
    if parts.way() == Way::Thread && signals::are_mixed() {
        super::note_waits_left();
        return parts.waiting(next);
    }
    let mut done = 0;
    while done < size {
        let ready = wait_for(from, Direction::In).and_then(|()| wait_for(to, Direction::Out));
        let result = match ready {
            Err(errno) => fail(errno),
            Ok(()) if parts.way() == Way::Thread => return next(),
            Ok(()) => piece((size - done).min(room(to))),
        };
        match usize::try_from(result) {
            Ok(0) => break,
            Ok(bytes) => done += bytes,
            Err(_) if done > 0 => break,
            Err(_) => return result,
        }
        if records::class(from) != Class::Unwaitable {
            // splice returns what there was.
            break;
        }
    }
    done as ssize_t
}

/// How much a descriptor that poll says may be written to takes without blocking: a socket has a third of its
/// buffer free then, and the buffer's size counts the kernel's own books.
fn room(fd: c_int) -> usize {
    let buffer = sys::socket_option(fd, libc::SO_SNDBUF).unwrap_or(0);
    usize::try_from(buffer / 8).unwrap_or(0).max(PIPE_BUF)
}
