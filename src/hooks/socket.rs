//! Sockets.

use std::ffi::{c_int, c_uint, c_void};

use libc::{mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};
use weir_record::file::Kind;

use super::{io_hooks, reissue};
use crate::coop;
use crate::files;
use crate::program_memory::given;
use crate::recording::{Message, returns};

io_hooks! {
    Socket = fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int: returns::status,
        then |result| files::made_socket(domain, kind, result);
    Socketpair = fn socketpair(domain: c_int, kind: c_int, protocol: c_int, ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::SocketPair, ends, result);
    Bind = fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        before given::note(address, length as usize),
        then |result| files::bound(fd, address, result);
    Listen = fn listen(fd: c_int, backlog: c_int) -> c_int: returns::status,
        fd fd;
    Connect = fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::connect(parts, fd, next),
        before given::note(address, length as usize),
        then |result| files::connected(fd, address, result);
    ConnectAlias = fn __connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::connect(parts, fd, next),
        before given::note(address, length as usize),
        then |result| files::connected(fd, address, result);
    Accept = fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::accept(parts, fd, next),
        then |result| files::accepted(fd, result);
    Accept4 = fn accept4(fd: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int: returns::status,
        fd fd,
        parts |parts, next| coop::accept(parts, fd, next),
        then |result| files::accepted(fd, result);
    Shutdown = fn shutdown(fd: c_int, how: c_int) -> c_int: returns::status,
        fd fd;
    Recv = fn recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| coop::receive_parts(parts, fd, flags, size, |from, more| reissue::recv_from(fd, buffer, size, from, flags | more), next);
    RecvChk = fn __recv_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::receive_parts(parts, fd, flags, size, |from, more| reissue::recv_from(fd, buffer, size, from, flags | more), next) };
    Recvfrom = fn recvfrom(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| coop::receive_parts(parts, fd, flags, size, |from, more| reissue::recvfrom(fd, buffer, size, from, flags | more, address, length), next);
    RecvfromChk = fn __recvfrom_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t) -> ssize_t: move |moved| returns::received(moved, size, flags),
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::receive_parts(parts, fd, flags, size, |from, more| reissue::recvfrom(fd, buffer, size, from, flags | more, address, length), next) };
    Recvmsg = fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t: move |moved| returns::received_message(moved, message, flags),
        fd fd, size Message(message),
        parts |parts, next| reissue::recvmsg(parts, fd, message, flags, next);
    Recvmmsg = fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int: move |count| returns::messages(count, messages, flags),
        fd fd,
        parts |parts, next| reissue::recvmmsg(parts, fd, messages, count, flags, timeout, next);
    Send = fn send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| reissue::send(fd, buffer, size, from, flags | more), next);
    SendAlias = fn __send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| reissue::send(fd, buffer, size, from, flags | more), next);
    Sendto = fn sendto(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int, address: *const sockaddr, length: socklen_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::send(parts, fd, flags, size, |from, more| reissue::sendto(fd, buffer, size, from, flags | more, address, length), next);
    Sendmsg = fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, size Message(message),
        parts |parts, next| reissue::sendmsg(parts, fd, message, flags, next);
    Sendmmsg = fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int: |count| returns::messages(count, messages, 0),
        fd fd,
        parts |parts, next| reissue::sendmmsg(parts, fd, messages, count, flags, next);
    Setsockopt = fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, length: socklen_t) -> c_int: returns::status,
        fd fd,
        then |_| coop::set_option(level, option);
    Getsockopt = fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
    Getsockname = fn getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
    Getpeername = fn getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int: returns::status,
        fd fd;
}
