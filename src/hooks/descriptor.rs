//! Descriptors in general, and descriptors of what is neither a file nor a socket. The third argument of `fcntl` and
//! `ioctl` is an integer or a pointer, depending on the command. It arrives in a register, and the hook passes it on in
//! a register, used or not.

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

use weir_record::file::Kind;

use super::io_hooks;
use crate::coop;
use crate::files;
use crate::files::records::Direction;
use crate::program_memory::given;
use crate::recording::returns;

/// Called after `from` was duplicated to `to`; a negative `to` is a failure. `to` may have been open before.
pub(super) fn duplicated(from: c_int, to: c_int) {
    if to >= 0 && from != to {
        files::duplicated(from, to);
    }
}

/// Whether close_range closes descriptors: it may also fail, or only set flags.
fn closes(first: c_uint, last: c_uint, flags: c_int) -> bool {
    first <= last && flags.cast_unsigned() & !libc::CLOSE_RANGE_UNSHARE == 0
}

/// Called before descriptors are closed.
pub(super) fn closing_range(first: c_uint, last: c_uint, flags: c_int) {
    if closes(first, last, flags) {
        coop::closing_range(first, last);
    }
}

/// Called after a call that closes descriptors; `status` is 0 if it succeeded.
pub(super) fn closed_range(first: c_uint, last: c_uint, flags: c_int, status: c_int) {
    if status == 0 && closes(first, last, flags) {
        files::closed_range(first, last);
    }
}

io_hooks! {
    Dup = fn dup(fd: c_int) -> c_int: returns::status,
        fd fd,
        then |result| duplicated(fd, result);
    Dup2 = fn dup2(fd: c_int, to: c_int) -> c_int: returns::status,
        fd fd,
        before coop::closing_for(fd, to),
        then |result| duplicated(fd, result);
    Dup2Alias = fn __dup2(fd: c_int, to: c_int) -> c_int: returns::status,
        fd fd,
        before coop::closing_for(fd, to),
        then |result| duplicated(fd, result);
    Dup3 = fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int: returns::status,
        fd fd,
        before if flags & !libc::O_CLOEXEC == 0 { coop::closing_for(fd, to) },
        then |result| duplicated(fd, result);
    // It makes the terminal the standard descriptors, and closes its own.
    LoginTty = fn login_tty(fd: c_int) -> c_int: returns::status,
        fd fd,
        before coop::closing_range(0, 2),
        then |result| if result == 0 {
            files::closed_range(0, 2);
            files::closed_range(fd.cast_unsigned(), fd.cast_unsigned());
        };
    Fcntl = fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    FcntlAlias = fn __fcntl(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    Fcntl64 = fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int: returns::status,
        fd fd,
        then |result| files::controlled(fd, command, result);
    Ioctl = fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int: returns::status,
        fd fd;
    Pipe = fn pipe(ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    PipeAlias = fn __pipe(ends: *mut c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    Pipe2 = fn pipe2(ends: *mut c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::made_pair(Kind::Pipe, ends, result);
    Eventfd = fn eventfd(value: c_uint, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Event, result);
    EventfdRead = fn eventfd_read(fd: c_int, value: *mut u64) -> c_int: returns::event,
        fd fd,
        parts |parts, next| coop::event(parts, fd, Direction::In, next);
    EventfdWrite = fn eventfd_write(fd: c_int, value: u64) -> c_int: returns::event,
        fd fd,
        parts |parts, next| coop::event(parts, fd, Direction::Out, next);
    Signalfd = fn signalfd(fd: c_int, mask: *const c_void, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Signal, result);
    TimerfdCreate = fn timerfd_create(clock: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Timer, result);
    InotifyInit = fn inotify_init() -> c_int: returns::status,
        then |result| files::made(Kind::Other, result);
    InotifyInit1 = fn inotify_init1(flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Other, result);
    MemfdCreate = fn memfd_create(name: *const c_char, flags: c_uint) -> c_int: returns::status,
        before given::note_text(name),
        then |result| files::made_memory(result, name);
    EpollCreate = fn epoll_create(size: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Epoll, result);
    EpollCreate1 = fn epoll_create1(flags: c_int) -> c_int: returns::status,
        then |result| files::made(Kind::Epoll, result);
    EpollCtl = fn epoll_ctl(epoll: c_int, operation: c_int, fd: c_int, event: *mut c_void) -> c_int: returns::status,
        fd epoll;
    CloseRange = fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int: returns::status,
        before closing_range(first, last, flags),
        then |result| closed_range(first, last, flags, result);
    Closefrom = fn closefrom(first: c_int): returns::nothing,
        before closing_range(first.max(0).cast_unsigned(), c_uint::MAX, 0),
        then |_| closed_range(first.max(0).cast_unsigned(), c_uint::MAX, 0, 0);
}
