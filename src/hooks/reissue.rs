//! Makes a call of the program again, for a call that is made in two parts: in another form, for fewer bytes, or
//! without waiting.
//!
//! The buffers, messages and arrays are the program's, as the hook got them. These functions call the next functions,
//! which are cancellation points, as is the program's own call.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use libc::{
    iovec, mmsghdr, msghdr, off_t, off64_t, size_t, sockaddr, socklen_t, ssize_t, timespec, timeval,
};

use crate::coop::{self, TwoPhaseCall, Vector};
use crate::linking::next;
use crate::sys;

/// `recv` into the buffer from byte `from` on. Also used instead of `read`.
pub fn recv_from(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, and `from` is at most that. The image has started.
    unsafe { next::recv(fd, buffer.byte_add(from), size - from, flags) }
}

/// `recvfrom` into the buffer from byte `from` on.
pub fn recvfrom(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, and `from` is at most that; the address and its length are the
    // program's. The image has started.
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
    // SAFETY: the program's message, or one of ours over the program's vector. The image has started.
    unsafe { next::recvmsg(fd, message, flags) }
}

/// `recvmsg` in two parts.
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
    // SAFETY: the program's own message. `vector` is called only after the kernel has read the message.
    unsafe {
        let vector = || vector_of(message);
        coop::receive_message(parts, fd, flags, vector, now, rest, next)
    }
}

/// The vector of a message.
///
/// # Safety
/// The message can be read.
unsafe fn vector_of(message: *const msghdr) -> Vector {
    // SAFETY: the caller guarantees it.
    let message = unsafe { message.read_unaligned() };
    Vector {
        array: message.msg_iov,
        count: message.msg_iovlen,
    }
}

/// Returns a message that has this vector and nothing else.
fn plain(array: *const iovec, count: usize) -> msghdr {
    // SAFETY: all zeroes are a valid message, without a vector.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = array.cast_mut();
    message.msg_iovlen = count;
    message
}

/// `recvmsg` with a vector only. Not inlined: the message must not stay on the stack while the call waits.
#[inline(never)]
fn recvmsg_plain(fd: c_int, array: *const iovec, count: usize, flags: c_int) -> ssize_t {
    recvmsg_once(fd, &mut plain(array, count), flags)
}

/// `sendmsg` with a vector only. Not inlined, as above.
#[inline(never)]
fn sendmsg_plain(fd: c_int, array: *const iovec, count: usize, flags: c_int) -> ssize_t {
    sendmsg_once(fd, &plain(array, count), flags)
}

/// `readv` in two parts, by `recvmsg`.
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

/// `recvmmsg` in two parts.
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
        // SAFETY: the program's array, of which the first `done` messages are complete; `done` is at most `count`.
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
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { coop::receive_many(parts, fd, count, flags, timeout, now, next) }
}

/// `send` from byte `from` of the buffer on. Also used instead of `write`.
pub fn send(fd: c_int, buffer: *const c_void, size: size_t, from: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, and `from` is at most that. The image has started.
    unsafe { next::send(fd, buffer.byte_add(from), size - from, flags) }
}

/// `sendto` from byte `from` of the buffer on.
pub fn sendto(
    fd: c_int,
    buffer: *const c_void,
    size: size_t,
    from: size_t,
    flags: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    // SAFETY: the program's buffer has `size` bytes, and `from` is at most that; the address is the program's. The
    // image has started.
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

/// `write` of `count` bytes of the buffer from byte `from` on.
pub fn write(fd: c_int, buffer: *const c_void, from: size_t, count: size_t) -> ssize_t {
    // SAFETY: the bytes are a part of the program's buffer. The image has started.
    unsafe { next::write(fd, buffer.byte_add(from), count) }
}

/// `writev` in two parts.
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
        // SAFETY: the vector's parts are parts of the program's buffers. The image has started.
        unsafe { next::writev(fd, vector.array, vector.count as c_int) }
    };
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { coop::write_parts(parts, fd, Vector { array, count }, now, rest, some, next) }
}

fn sendmsg_once(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the program's message, or one of ours over the program's vector. The image has started.
    unsafe { next::sendmsg(fd, message, flags) }
}

/// `sendmsg` in two parts.
#[inline(always)]
pub fn sendmsg(
    parts: &TwoPhaseCall,
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    // SAFETY: the program's message. The closure is called only after the kernel has read the message.
    let vector = || unsafe { vector_of(message) };
    let now = |more| sendmsg_once(fd, message, flags | more);
    let rest = |from: *mut c_void, size, more| send(fd, from, size, 0, flags | more);
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { coop::send_parts(parts, fd, flags, vector, now, rest, next) }
}

/// `sendmmsg` in two parts.
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
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { coop::send_many(parts, fd, messages, count, flags, one, next) }
}

/// `sendfile` of `size` bytes, which may be fewer than the program asked for.
pub fn sendfile(to: c_int, from: c_int, at: *mut off_t, size: size_t) -> ssize_t {
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { next::sendfile(to, from, at, size) }
}

/// `sendfile64` of `size` bytes, which may be fewer than the program asked for.
pub fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, size: size_t) -> ssize_t {
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { next::sendfile64(to, from, at, size) }
}

/// `splice` of `size` bytes, which may be fewer than the program asked for.
pub fn splice(
    from: c_int,
    from_at: *mut off64_t,
    to: c_int,
    to_at: *mut off64_t,
    size: size_t,
    flags: c_uint,
) -> ssize_t {
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { next::splice(from, from_at, to, to_at, size, flags) }
}

/// `select` in two parts. In a coroutine it writes the time that is left into `timeout`, as Linux does.
#[inline(always)]
pub fn select(
    parts: &TwoPhaseCall,
    count: c_int,
    sets: [*mut c_void; 3],
    timeout: *mut timeval,
    next: impl Fn() -> c_int,
) -> c_int {
    let ns = coop::ns_of_timeval(timeout);
    let began_ns = sys::monotonic_ns();
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    let result = unsafe { coop::select(parts, count, sets, ns, ptr::null(), next) };
    if let (coop::WaitMode::Coroutine(_), Some(ns)) = (parts.way(), ns) {
        let left = ns.saturating_sub(sys::monotonic_ns() - began_ns);
        // SAFETY: the program's timeout, which is not NULL, and which the kernel would write, too.
        unsafe {
            timeout.write_unaligned(timeval {
                tv_sec: (left / 1_000_000_000) as i64,
                tv_usec: (left % 1_000_000_000 / 1000) as i64,
            });
        }
    }
    result
}

/// Converts a timeout from milliseconds to nanoseconds. `None` is no limit.
pub fn ns_of_ms(timeout_ms: c_int) -> Option<u64> {
    u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000)
}

/// `epoll_pwait` with a timeout of 0.
pub fn epoll_pwait(epoll: c_int, events: *mut c_void, count: c_int, mask: *const c_void) -> c_int {
    // SAFETY: the program's own arguments; the program keeps the contract of the call.
    unsafe { next::epoll_pwait(epoll, events, count, 0, mask) }
}
