//! Descriptors as such, and what else has one. The third argument of `fcntl` and `ioctl` is an integer or a
//! pointer, whatever the command; it arrives in a register and is passed on in it, used or not.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use weir_record::file::Kind;

use super::io_hooks;
use crate::files;
use crate::recording::returns;

io_hooks! {
    Dup = dup(fd: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::duplicated(fd, result);
    Dup2 = dup2(fd: c_int, to: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::duplicated(fd, result);
    Dup2Alias = __dup2(fd: c_int, to: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::duplicated(fd, result);
    Dup3 = dup3(fd: c_int, to: c_int, flags: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::duplicated(fd, result);
    Fcntl = fcntl(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    FcntlAlias = __fcntl(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    Fcntl64 = fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    Ioctl = ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int: returns::status,
        fd fd;
    Pipe = pipe(ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    PipeAlias = __pipe(ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    Pipe2 = pipe2(ends: *mut c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    Eventfd = eventfd(value: c_uint, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Event, result);
    EventfdRead = eventfd_read(fd: c_int, value: *mut u64) -> c_int: returns::event,
        fd fd;
    EventfdWrite = eventfd_write(fd: c_int, value: u64) -> c_int: returns::event,
        fd fd;
    Signalfd = signalfd(fd: c_int, mask: *const c_void, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Signal, result);
    TimerfdCreate = timerfd_create(clock: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Timer, result);
    InotifyInit = inotify_init() -> c_int: returns::status,
        then |result| files::made(Kind::Other, result);
    InotifyInit1 = inotify_init1(flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Other, result);
    MemfdCreate = memfd_create(name: *const c_char, flags: c_uint) -> c_int: returns::status,
        then |result| files::made(Kind::Memory, result);
    EpollCreate = epoll_create(size: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Epoll, result);
    EpollCreate1 = epoll_create1(flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Epoll, result);
    EpollCtl = epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int: returns::status,
        fd epoll;
    CloseRange = close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int: returns::status,
        then |result| files::closed_range(first, last, flags, result);
    Closefrom = closefrom(first: c_int): returns::nothing,
        then |_| files::closed_from(first);
}
