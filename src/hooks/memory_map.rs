//! Memory mappings.

use std::ffi::{c_int, c_void};

use libc::{off_t, off64_t, size_t};

use super::io_hooks;
use crate::files;
use crate::recording::returns;
use crate::stacks;

io_hooks! {
    Mmap = fn mmap(place: *mut c_void, size: size_t, protection: c_int, flags: c_int, fd: c_int, at: off_t) -> *mut c_void: returns::address,
        fd fd, size size,
        then |at| files::mapped(fd, size, flags, at);
    Mmap64 = fn mmap64(place: *mut c_void, size: size_t, protection: c_int, flags: c_int, fd: c_int, at: off64_t) -> *mut c_void: returns::address,
        fd fd, size size,
        then |at| files::mapped(fd, size, flags, at);
    Munmap = fn munmap(place: *mut c_void, size: size_t) -> c_int: returns::status,
        size size,
        before stacks::before_unmapping();
    Mremap = fn mremap(place: *mut c_void, before: size_t, size: size_t, flags: c_int, to: *mut c_void) -> *mut c_void: returns::address,
        size size;
    Mprotect = fn mprotect(place: *mut c_void, size: size_t, protection: c_int) -> c_int: returns::status,
        size size;
    PkeyMprotect = fn pkey_mprotect(place: *mut c_void, size: size_t, protection: c_int, key: c_int) -> c_int: returns::status,
        size size;
    Msync = fn msync(place: *mut c_void, size: size_t, flags: c_int) -> c_int: returns::status,
        size size;
    Madvise = fn madvise(place: *mut c_void, size: size_t, advice: c_int) -> c_int: returns::status,
        size size;
    PosixMadvise = fn posix_madvise(place: *mut c_void, size: size_t, advice: c_int) -> c_int: returns::error_number,
        size size;
    Brk = fn brk(end: *mut c_void) -> c_int: returns::status;
    Sbrk = fn sbrk(by: isize) -> *mut c_void: returns::address;
    SbrkAlias = fn __sbrk(by: isize) -> *mut c_void: returns::address;
}
