//! Files: descriptors made, closed, read, written, moved in and synced.
//!
//! The integer after `open`'s flags is a variable argument; in the calling convention of x86-64 it arrives
//! where a fixed one would (System V ABI, AMD64 supplement, 3.2.3), so it is taken and passed as one.

use std::ffi::{c_char, c_int, c_void};

use libc::{iovec, mode_t, off_t, off64_t, size_t, ssize_t};
use weir_record::functions::Function;

use crate::next;
use crate::recording::{Outcome, Requested, transfer};

/// A call that is about no descriptor yet.
const NO_FD: c_int = -1;
/// A call that asks for no bytes.
const NO_SIZE: usize = 0;
/// The most parts that a vector may have (limits.h).
const IOV_MAX: c_int = 1024;

/// What a vector asks for. Its array is read only once the kernel has shown that it can be: a program
/// may pass a bad one and be told EFAULT, which must not become a fault of ours.
#[derive(Clone, Copy)]
struct Vector {
    array: *const iovec,
    count: c_int,
}

impl Requested for Vector {
    fn before(self) -> Option<u64> {
        None
    }

    fn after(self, outcome: Outcome) -> Option<u64> {
        use libc::{EBADF, EFAULT, EINVAL, ENOMEM, ENOSYS, EOPNOTSUPP, ESPIPE};
        if let Outcome::Failed(EBADF | EFAULT | EINVAL | ENOMEM | ENOSYS | EOPNOTSUPP | ESPIPE) =
            outcome
        {
            return Some(0);
        }
        if self.array.is_null() || !(0..=IOV_MAX).contains(&self.count) {
            return Some(0);
        }
        let sum = (0..self.count as usize).fold(0, |sum: u64, part| {
            // SAFETY: the kernel has just read as many parts from there, whatever their alignment.
            let part = unsafe { self.array.add(part).read_unaligned() };
            sum.wrapping_add(part.iov_len as u64)
        });
        Some(sum)
    }
}

/// Defines hooks: the name, the row of the table, the arguments, the result, and which of the arguments are
/// the descriptor and the size.
macro_rules! hooks {
    ($($name:ident / $next:ident = $function:ident($($argument:ident: $type:ty),*) -> $result:ty,
        fd $fd:expr, size $size:expr, as $manual:literal;)+) => {$(
        #[doc = concat!("# Safety\nAs ", $manual, " has it.")]
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            transfer(Function::$function, $fd, $size, move || {
                // SAFETY: what the caller promises is what the next one asks.
                unsafe { next::$next($($argument),*) }
            })
        }
    )+};
}

hooks! {
    open / open = Open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        fd NO_FD, size NO_SIZE, as "open(2)";
    open64 / open64 = Open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        fd NO_FD, size NO_SIZE, as "open(2)";
    __open_2 / open_2 = OpenChk(path: *const c_char, flags: c_int) -> c_int,
        fd NO_FD, size NO_SIZE, as "open(2)";
    __open64_2 / open64_2 = Open64Chk(path: *const c_char, flags: c_int) -> c_int,
        fd NO_FD, size NO_SIZE, as "open(2)";
    openat / openat = Openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        fd dir, size NO_SIZE, as "openat(2)";
    openat64 / openat64 = Openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int,
        fd dir, size NO_SIZE, as "openat(2)";
    __openat_2 / openat_2 = OpenatChk(dir: c_int, path: *const c_char, flags: c_int) -> c_int,
        fd dir, size NO_SIZE, as "openat(2)";
    __openat64_2 / openat64_2 = Openat64Chk(dir: c_int, path: *const c_char, flags: c_int) -> c_int,
        fd dir, size NO_SIZE, as "openat(2)";
    creat / creat = Creat(path: *const c_char, mode: mode_t) -> c_int,
        fd NO_FD, size NO_SIZE, as "creat(2)";
    creat64 / creat64 = Creat64(path: *const c_char, mode: mode_t) -> c_int,
        fd NO_FD, size NO_SIZE, as "creat(2)";
    close / close = Close(fd: c_int) -> c_int,
        fd fd, size NO_SIZE, as "close(2)";
    read / read = Read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t,
        fd fd, size size, as "read(2)";
    __read_chk / read_chk = ReadChk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t) -> ssize_t,
        fd fd, size size, as "read(2)";
    pread / pread = Pread(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t) -> ssize_t,
        fd fd, size size, as "pread(2)";
    pread64 / pread64 = Pread64(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t) -> ssize_t,
        fd fd, size size, as "pread(2)";
    __pread_chk / pread_chk = PreadChk(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t, room: size_t) -> ssize_t,
        fd fd, size size, as "pread(2)";
    __pread64_chk / pread64_chk = Pread64Chk(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t, room: size_t) -> ssize_t,
        fd fd, size size, as "pread(2)";
    readv / readv = Readv(fd: c_int, array: *const iovec, count: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "readv(2)";
    preadv / preadv = Preadv(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t,
        fd fd, size Vector { array, count }, as "preadv(2)";
    preadv64 / preadv64 = Preadv64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t,
        fd fd, size Vector { array, count }, as "preadv(2)";
    preadv2 / preadv2 = Preadv2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "preadv2(2)";
    preadv64v2 / preadv64v2 = Preadv64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "preadv2(2)";
    write / write = Write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t,
        fd fd, size size, as "write(2)";
    pwrite / pwrite = Pwrite(fd: c_int, buffer: *const c_void, size: size_t, at: off_t) -> ssize_t,
        fd fd, size size, as "pwrite(2)";
    pwrite64 / pwrite64 = Pwrite64(fd: c_int, buffer: *const c_void, size: size_t, at: off64_t) -> ssize_t,
        fd fd, size size, as "pwrite(2)";
    writev / writev = Writev(fd: c_int, array: *const iovec, count: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "writev(2)";
    pwritev / pwritev = Pwritev(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t,
        fd fd, size Vector { array, count }, as "pwritev(2)";
    pwritev64 / pwritev64 = Pwritev64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t,
        fd fd, size Vector { array, count }, as "pwritev(2)";
    pwritev2 / pwritev2 = Pwritev2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "pwritev2(2)";
    pwritev64v2 / pwritev64v2 = Pwritev64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t,
        fd fd, size Vector { array, count }, as "pwritev2(2)";
    lseek / lseek = Lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t,
        fd fd, size NO_SIZE, as "lseek(2)";
    lseek64 / lseek64 = Lseek64(fd: c_int, offset: off64_t, whence: c_int) -> off64_t,
        fd fd, size NO_SIZE, as "lseek(2)";
    fsync / fsync = Fsync(fd: c_int) -> c_int,
        fd fd, size NO_SIZE, as "fsync(2)";
    fdatasync / fdatasync = Fdatasync(fd: c_int) -> c_int,
        fd fd, size NO_SIZE, as "fsync(2)";
}
