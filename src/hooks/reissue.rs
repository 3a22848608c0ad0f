//! A call that is being made in parts, made once more: in another form, for less, or without waiting.
//!
//! Buffers, messages and arrays are the program's, as the hook was given them. What is called are the next
//! functions, which are cancellation points as the program's own call is.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use libc::{
    iovec, mmsghdr, msghdr, off_t, off64_t, size_t, sockaddr, socklen_t, ssize_t, timespec, timeval,
};

use crate::coop::{self, TwoPhaseCall, Vector};
use crate::linking::next;
use crate::sys;

/// `recv`, from a place of the buffer on; in place of `read` too.
pub fn recv_from(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, of which `from` are done; the image has started.
    unsafe { next::recv(fd, buffer.byte_add(from), size - from, flags) }
}

/// `recvfrom`, from a place of the buffer on.
pub fn recvfrom(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    // SAFETY: as above; the address and its length are the program's.
    unsafe {
        next::recvfrom(
            fd,
            buffer.byte_add(from),
            size - from,
            flags,
            address,
            length,
        )
    }
}

fn recvmsg_once(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the program's message, or what it wants to read to; the image has started.
    unsafe { next::recvmsg(fd, message, flags) }
}

/// `recvmsg`, in parts.
#[inline(always)]
pub fn recvmsg(
    parts: &TwoPhaseCall,
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let now = |more| recvmsg_once(fd, message, flags | more);
    let rest = |to: *mut c_void, size, more| recv_from(fd, to, size, 0, more);
    // SAFETY: as the program calls it; the kernel has read the message when its vector is asked for.
    unsafe {
        let vector = || vector_of(message);
        coop::receive_message(parts, fd, flags, vector, now, rest, next)
    }
}

/// What a message leads to.
///
/// # Safety
/// It can be read.
unsafe fn vector_of(message: *const msghdr) -> Vector {
    // SAFETY: as the caller promises.
    let message = unsafe { message.read_unaligned() };
    Vector {
        array: message.msg_iov,
        count: message.msg_iovlen,
    }
}

/// A message that is no more than this vector.
fn plain(array: *const iovec, count: usize) -> msghdr {
    // SAFETY: zeroes are a message without anything.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = array.cast_mut();
    message.msg_iovlen = count;
    message
}

/// `recvmsg` of no more than a vector. Not inlined: the message is gone when the call has to wait.
#[inline(never)]
fn recvmsg_plain(fd: c_int, array: *const iovec, count: usize, flags: c_int) -> ssize_t {
    recvmsg_once(fd, &mut plain(array, count), flags)
}

/// `sendmsg` of no more than a vector, as above.
#[inline(never)]
fn sendmsg_plain(fd: c_int, array: *const iovec, count: usize, flags: c_int) -> ssize_t {
    sendmsg_once(fd, &plain(array, count), flags)
}

/// `readv`, in parts: `recvmsg` in its place.
#[inline(always)]
pub fn readv(
    parts: &TwoPhaseCall,
    fd: c_int,
    array: *const iovec,
    count: c_int,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let Ok(count) = usize::try_from(count) else {
        return next();
    };
    let now = |flags| recvmsg_plain(fd, array, count, flags);
    coop::read_parts(parts, fd, Vector { array, count }, now, next)
}

/// `recvmmsg`, in parts.
#[inline(always)]
pub fn recvmmsg(
    parts: &TwoPhaseCall,
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
    next: impl Fn() -> c_int,
) -> c_int {
    let now = |done: c_uint, more| {
        // SAFETY: the program's array, of which `done` are filled in.
        unsafe {
            next::recvmmsg(
                fd,
                messages.add(done as usize),
                count - done,
                flags | more,
                ptr::null_mut(),
            )
        }
    };
    // SAFETY: as the program calls it.
    unsafe { coop::receive_many(parts, fd, count, flags, timeout, now, next) }
}

/// `send` from a place of the buffer on; in place of `write` too.
pub fn send(fd: c_int, buffer: *const c_void, size: size_t, from: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, of which `from` are done; the image has started.
    unsafe { next::send(fd, buffer.byte_add(from), size - from, flags) }
}

/// `sendto`, from a place of the buffer on.
pub fn sendto(
    fd: c_int,
    buffer: *const c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    // SAFETY: as above; the address is the program's.
    unsafe {
        next::sendto(
            fd,
            buffer.byte_add(from),
            size - from,
            flags,
            address,
            length,
        )
    }
}

/// `write`, a piece of the buffer.
pub fn write(fd: c_int, buffer: *const c_void, from: size_t, count: size_t) -> ssize_t {
    // SAFETY: a piece of the program's buffer; the image has started.
    unsafe { next::write(fd, buffer.byte_add(from), count) }
}

/// `writev`, in parts.
#[inline(always)]
pub fn writev(
    parts: &TwoPhaseCall,
    fd: c_int,
    array: *const iovec,
    count: c_int,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let Ok(count) = usize::try_from(count) else {
        return next();
    };
    let now = |more| sendmsg_plain(fd, array, count, more);
    let rest = |from: *mut c_void, size, more| send(fd, from, size, 0, more);
    let some = |vector: Vector| {
        // SAFETY: parts of what the program wants to write; the image has started.
        unsafe { next::writev(fd, vector.array, vector.count as c_int) }
    };
    // SAFETY: as the program calls it.
    unsafe { coop::write_parts(parts, fd, Vector { array, count }, now, rest, some, next) }
}

fn sendmsg_once(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the program's message, or what it wants to write; the image has started.
    unsafe { next::sendmsg(fd, message, flags) }
}

/// `sendmsg`, in parts.
#[inline(always)]
pub fn sendmsg(
    parts: &TwoPhaseCall,
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    // SAFETY: the program's message, which the kernel has read when this is asked for.
    let vector = || unsafe { vector_of(message) };
    let now = |more| sendmsg_once(fd, message, flags | more);
    let rest = |from: *mut c_void, size, more| send(fd, from, size, 0, flags | more);
    // SAFETY: as the program calls it.
    unsafe { coop::send_parts(parts, fd, flags, vector, now, rest, next) }
}

/// `sendmmsg`, in parts.
#[inline(always)]
pub fn sendmmsg(
    parts: &TwoPhaseCall,
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    let one = |parts: &TwoPhaseCall, message| {
        let whole = || sendmsg_once(fd, message, flags);
        sendmsg(parts, fd, message, flags, whole)
    };
    // SAFETY: as the program calls it.
    unsafe { coop::send_many(parts, fd, messages, count, flags, one, next) }
}

/// `sendfile`, for less.
pub fn sendfile(to: c_int, from: c_int, at: *mut off_t, size: size_t) -> ssize_t {
    // SAFETY: as the program calls it.
    unsafe { next::sendfile(to, from, at, size) }
}

/// `sendfile64`, for less.
pub fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, size: size_t) -> ssize_t {
    // SAFETY: as the program calls it.
    unsafe { next::sendfile64(to, from, at, size) }
}

/// `splice`, for less.
pub fn splice(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    size: size_t,
    flags: c_uint,
) -> ssize_t {
    // SAFETY: as the program calls it.
    unsafe { next::splice(from, from_at, to, to_at, size, flags) }
}

/// `select`, in parts: it writes down how much time was left.
#[inline(always)]
pub fn select(
    parts: &TwoPhaseCall,
    count: c_int,
    sets: [*mut c_void; 3],
    timeout: *mut timeval,
    next: impl Fn() -> c_int,
) -> c_int {
    // SAFETY: the program's time, or NULL.
    let ns = unsafe { coop::ns_of_timeval(timeout) };
    let began_ns = sys::monotonic_ns();
    // SAFETY: as the program calls it.
    let result = unsafe { coop::select(parts, count, sets, ns, ptr::null(), next) };
    if let (coop::WaitMode::Coroutine(_), Some(ns)) = (parts.way(), ns) {
        let left = ns.saturating_sub(sys::monotonic_ns() - began_ns);
        // SAFETY: the program's time, which the kernel would write too.
        unsafe {
            timeout.write_unaligned(timeval {
                tv_sec: (left / 1_000_000_000) as i64,
                tv_usec: (left % 1_000_000_000 / 1000) as i64,
            });
        }
    }
    result
}

/// A timeout in milliseconds, in nanoseconds; none is for ever.
pub fn ns_of_ms(timeout_ms: c_int) -> Option<u64> {
    u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000)
}

/// A timeout in nanoseconds; none is for ever.
pub fn ns_of(timeout: *const timespec) -> Option<u64> {
    // SAFETY: the program's time, or NULL.
    unsafe { coop::ns_of_timespec(timeout) }
}

/// `epoll_pwait` without waiting.
pub fn epoll_pwait(epoll: c_int, events: *mut c_void, count: c_int, mask: *const c_void) -> c_int {
    // SAFETY: as the program calls it.
    unsafe { next::epoll_pwait(epoll, events, count, 0, mask) }
}
