//! Numbers of system calls that not every architecture has.

use std::ffi::c_long;

pub const FORK: c_long = libc::SYS_fork;
pub const OPEN: c_long = libc::SYS_open;
pub const CREAT: c_long = libc::SYS_creat;
pub const PIPE: c_long = libc::SYS_pipe;
pub const DUP2: c_long = libc::SYS_dup2;
pub const EVENTFD: c_long = libc::SYS_eventfd;
pub const EPOLL_CREATE: c_long = libc::SYS_epoll_create;
pub const SIGNALFD: c_long = libc::SYS_signalfd;
pub const INOTIFY_INIT: c_long = libc::SYS_inotify_init;
pub const ARCH_PRCTL: c_long = libc::SYS_arch_prctl;
