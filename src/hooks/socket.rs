//! Sockets.

use std::ffi::{c_int, c_uint, c_void};

use libc::{mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};
use weir_record::file::Kind;

use super::{again, io_hooks};
use crate::coop;
use crate::files;
use crate::recording::{Message, returns};

io_hooks! {
    Socket = socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int: returns::status,
        then |result| files::made_socket(domain, kind, result);
    Socketpair = socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::SocketPair, ends, result);
    Bind = bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        then |result| files::bound(fd, address, length, result);
    Listen = listen(fd: c_int, backlog: c_int) -> c_int: returns::status,
        fd fd;
    Connect = connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::connect(parts, fd, next),
        then |result| files::connected(fd, address, length, result);
    ConnectAlias = __connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::connect(parts, fd, next),
        then |result| files::connected(fd, address, length, result);
    Accept = accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::accept(parts, fd, next),
        then |result| files::accepted(fd, result);
    Accept4 = accept4(fd: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::accept(parts, fd, next),
        then |result| files::accepted(fd, result);
    Shutdown = shutdown(fd: c_int, how: c_int) -> c_int: returns::status,
        fd fd;
    Recv = recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| coop::receive_parts(parts, fd, flags, size, |from, more| again::recv_from(fd, buffer, size, from, flags | more), next);
    RecvChk = __recv_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::receive_parts(parts, fd, flags, size, |from, more| again::recv_from(fd, buffer, size, from, flags | more), next) };
    Recvfrom = recvfrom(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| coop::receive_parts(parts, fd, flags, size, |from, more| again::recvfrom(fd, buffer, size, from, flags | more, address, length), next);
    RecvfromChk = __recvfrom_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::receive_parts(parts, fd, flags, size, |from, more| again::recvfrom(fd, buffer, size, from, flags | more, address, length), next) };
    Recvmsg = recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t: move |moved| returns::received_message(moved, message, flags),
        fd fd, size Message(message),
        parts |parts, next| again::recvmsg(parts, fd, message, flags, next);
    Recvmmsg = recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int: move |count| returns::messages(count, messages, flags),
        fd fd,
        parts |parts, next| again::recvmmsg(parts, fd, messages, count, flags, timeout, next);
    Send = send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| again::send(fd, buffer, size, from, flags | more), next);
    SendAlias = __send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| again::send(fd, buffer, size, from, flags | more), next);
    Sendto = sendto(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int, address: *const sockaddr, length: socklen_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| again::sendto(fd, buffer, size, from, flags | more, address, length), next);
    Sendmsg = sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size Message(message),
        parts |parts, next| again::sendmsg(parts, fd, message, flags, next);
    Sendmmsg = sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int: |count| returns::messages(count, messages, 0),
        fd fd,
        parts |parts, next| again::sendmmsg(parts, fd, messages, count, flags, next);
    Setsockopt = setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, length: socklen_t) -> c_int: returns::status,
        fd fd,
        then |_| coop::set_option(level, option);
    Getsockopt = getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
    Getsockname = getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
    Getpeername = getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
}
