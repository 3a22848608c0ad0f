//! Waiting: for descriptors, for time to pass, and for host names.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;

use libc::{nfds_t, pollfd, size_t, timespec, timeval};

use super::{io_hooks, reissue};
use crate::coop;
use crate::recording::returns;

io_hooks! {
    Poll = fn poll(array: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int: returns::status,
        parts |parts, next| {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::poll(parts, array, count, timeout, next) }
        };
    PollAlias = fn __poll(array: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int: returns::status,
        parts |parts, next| {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::poll(parts, array, count, timeout, next) }
        };
    PollChk = fn __poll_chk(array: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int: returns::status,
        parts |parts, next| if count > (room / size_of::<pollfd>()) as nfds_t {
            next()
        } else {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::poll(parts, array, count, timeout, next) }
        };
    Ppoll = fn ppoll(array: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status,
        parts |parts, next| {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::poll_until(parts, array, count, coop::ns_of_timespec(timeout), mask, next) }
        };
    PpollChk = fn __ppoll_chk(array: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const c_void, room: size_t) -> c_int: returns::status,
        parts |parts, next| if count > (room / size_of::<pollfd>()) as nfds_t {
            next()
        } else {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::poll_until(parts, array, count, coop::ns_of_timespec(timeout), mask, next) }
        };
    Select = fn select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut timeval) -> c_int: returns::status,
        parts |parts, next| reissue::select(parts, count, [read, write, except], timeout, next);
    SelectAlias = fn __select(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *mut timeval) -> c_int: returns::status,
        parts |parts, next| reissue::select(parts, count, [read, write, except], timeout, next);
    Pselect = fn pselect(count: c_int, read: *mut c_void, write: *mut c_void, except: *mut c_void, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status,
        parts |parts, next| {
            // SAFETY: the program's own arguments; the program keeps the contract of the call.
            unsafe { coop::select(parts, count, [read, write, except], coop::ns_of_timespec(timeout), mask, next) }
        };
    EpollWait = fn epoll_wait(epoll: c_int, events: *mut c_void, count: c_int, timeout: c_int) -> c_int: returns::status,
        fd epoll,
        parts |parts, next| coop::epoll(parts, epoll, reissue::ns_of_ms(timeout), false, || reissue::epoll_pwait(epoll, events, count, ptr::null()), next);
    EpollPwait = fn epoll_pwait(epoll: c_int, events: *mut c_void, count: c_int, timeout: c_int, mask: *const c_void) -> c_int: returns::status,
        fd epoll,
        parts |parts, next| coop::epoll(parts, epoll, reissue::ns_of_ms(timeout), !mask.is_null(), || reissue::epoll_pwait(epoll, events, count, mask), next);
    EpollPwait2 = fn epoll_pwait2(epoll: c_int, events: *mut c_void, count: c_int, timeout: *const timespec, mask: *const c_void) -> c_int: returns::status,
        fd epoll,
        parts |parts, next| coop::epoll(parts, epoll, coop::ns_of_timespec(timeout), !mask.is_null(), || reissue::epoll_pwait(epoll, events, count, mask), next);
    Sleep = fn sleep(seconds: c_uint) -> c_uint: returns::size,
        parts |parts, next| coop::sleep_seconds(parts, seconds, next);
    Usleep = fn usleep(microseconds: c_uint) -> c_int: returns::status,
        parts |parts, next| coop::usleep(parts, microseconds, next);
    Nanosleep = fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int: returns::status,
        parts |parts, next| coop::nanosleep(parts, time, left, next);
    NanosleepAlias = fn __nanosleep(time: *const timespec, left: *mut timespec) -> c_int: returns::status,
        parts |parts, next| coop::nanosleep(parts, time, left, next);
    ClockNanosleep = fn clock_nanosleep(clock: c_int, flags: c_int, time: *const timespec, left: *mut timespec) -> c_int: returns::error_number,
        parts |parts, next| coop::clock_nanosleep(parts, clock, flags, time, left, next);
    Getaddrinfo = fn getaddrinfo(host: *const c_char, service: *const c_char, hints: *const c_void, results: *mut c_void) -> c_int: returns::resolution,
        parts |parts, next| coop::resolve(parts, next);
}
