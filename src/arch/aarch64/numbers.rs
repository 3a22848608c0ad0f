//! Numbers of system calls that not every architecture has. Here the kernel has none of them, and nobody makes a call of
//! such a number: it is out of the range of any.

use std::ffi::c_long;

pub const FORK: c_long = c_long::MIN;
pub const OPEN: c_long = c_long::MIN + 1;
pub const CREAT: c_long = c_long::MIN + 2;
pub const PIPE: c_long = c_long::MIN + 3;
pub const DUP2: c_long = c_long::MIN + 4;
pub const EVENTFD: c_long = c_long::MIN + 5;
pub const EPOLL_CREATE: c_long = c_long::MIN + 6;
pub const SIGNALFD: c_long = c_long::MIN + 7;
pub const INOTIFY_INIT: c_long = c_long::MIN + 8;
pub const ARCH_PRCTL: c_long = c_long::MIN + 9;
