//! Waiting: for descriptors, and for time to pass.

use std::ffi::{c_int, c_uint, c_void};

use libc::{nfds_t, pollfd, size_t, timespec, timeval};

use super::io_hooks;
use crate::recording::returns;

io_hooks! {
    Poll = poll(array: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int: returns::status;
    PollAlias = __poll(array: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int: returns::status;
    PollChk = __poll_chk(array: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int: returns::status;
    Ppoll = ppoll(array: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status;
    PpollChk = __ppoll_chk(array: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void, room: size_t) -> c_int: returns::status;
    Select = select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut timeval) -> c_int: returns::status;
    SelectAlias = __select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut timeval) -> c_int: returns::status;
    Pselect = pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status;
    EpollWait = epoll_wait(epoll: c_int, events: *mut c_void, count: c_int, timeout: c_int) -> c_int: returns::status,
        fd epoll;
    EpollPwait = epoll_pwait(epoll: c_int, events: *mut c_void, count: c_int, timeout: c_int, mask: *const c_void) -> c_int: returns::status,
        fd epoll;
    EpollPwait2 = epoll_pwait2(epoll: c_int, events: *mut c_void, count: c_int, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status,
        fd epoll;
    Sleep = sleep(seconds: c_uint) -> c_uint: returns::size;
    Usleep = usleep(microseconds: c_uint) -> c_int: returns::status;
    Nanosleep = nanosleep(time: *const timespec, left: *mut timespec) -> c_int: returns::status;
    NanosleepAlias = __nanosleep(time: *const timespec, left: *mut timespec) -> c_int: returns::status;
    ClockNanosleep = clock_nanosleep(clock: c_int, flags: c_int, time: *const timespec, left: *mut timespec) -> c_int: returns::error_number;
}
