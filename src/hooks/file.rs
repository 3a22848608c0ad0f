//! Descriptors of files: opened, closed, read, written, copied, positioned and synchronized.
//!
//! The mode after `open`'s flags is a variable argument. On x86-64 and on AArch64 it arrives where a fixed argument
//! would (System V ABI, AMD64 supplement, 3.2.3; AAPCS64, 6.8). So the hook defines it as a fixed argument, and passes
//! it as one.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{iovec, mode_t, off_t, off64_t, size_t, ssize_t};

use super::{io_hooks, reissue};
use crate::coop;
use crate::files;
use crate::program_memory::given;
use crate::recording::{Vector, returns};

io_hooks! {
    Open = fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64 = fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    OpenChk = fn __open_2(path: *const c_char, flags: c_int) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64Chk = fn __open64_2(path: *const c_char, flags: c_int) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    OpenAlias = fn __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64Alias = fn __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Openat = fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        dir dir,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, dir, path);
    Openat64 = fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        dir dir,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, dir, path);
    OpenatChk = fn __openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, dir, path);
    Openat64Chk = fn __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir,
        before given::note_text(path),
        then |result| files::opened_with(flags, result, dir, path);
    Creat = fn creat(path: *const c_char, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened(result, libc::AT_FDCWD, path);
    Creat64 = fn creat64(path: *const c_char, mode: mode_t) -> c_int: returns::status,
        before given::note_text(path),
        then |result| files::opened(result, libc::AT_FDCWD, path);
    Mkstemp = fn mkstemp(template: *mut c_char) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkstemp64 = fn mkstemp64(template: *mut c_char) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkostemp = fn mkostemp(template: *mut c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkostemp64 = fn mkostemp64(template: *mut c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkstemps = fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkstemps64 = fn mkstemps64(template: *mut c_char, suffix: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkostemps = fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Mkostemps64 = fn mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_now(result, template);
    Close = fn close(fd: c_int) -> c_int: returns::status,
        fd fd;
    CloseAlias = fn __close(fd: c_int) -> c_int: returns::status,
        fd fd;
    Read = fn read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::read(parts, fd, size, |flags| reissue::recv_from(fd, buffer, size, 0, flags), next);
    ReadAlias = fn __read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::read(parts, fd, size, |flags| reissue::recv_from(fd, buffer, size, 0, flags), next);
    ReadChk = fn __read_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::read(parts, fd, size, |flags| reissue::recv_from(fd, buffer, size, 0, flags), next) };
    Pread = fn pread(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64 = fn pread64(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64Alias = fn __pread64(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    PreadChk = fn __pread_chk(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64Chk = fn __pread64_chk(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Readv = fn readv(fd: c_int, array: *const iovec, count: c_int) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count as usize),
        parts |parts, next| reissue::readv(parts, fd, array, count, next);
    Preadv = fn preadv(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv64 = fn preadv64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv2 = fn preadv2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv64v2 = fn preadv64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Write = fn write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::write(parts, fd, size, |from, flags| reissue::send(fd, buffer, size, from, flags), |from, count| reissue::write(fd, buffer, from, count), next);
    WriteAlias = fn __write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::write(parts, fd, size, |from, flags| reissue::send(fd, buffer, size, from, flags), |from, count| reissue::write(fd, buffer, from, count), next);
    Pwrite = fn pwrite(fd: c_int, buffer: *const c_void, size: size_t, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pwrite64 = fn pwrite64(fd: c_int, buffer: *const c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pwrite64Alias = fn __pwrite64(fd: c_int, buffer: *const c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Writev = fn writev(fd: c_int, array: *const iovec, count: c_int) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count as usize),
        parts |parts, next| reissue::writev(parts, fd, array, count, next);
    Pwritev = fn pwritev(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev64 = fn pwritev64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev2 = fn pwritev2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev64v2 = fn pwritev64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Lseek = fn lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t: returns::offset,
        fd fd;
    LseekAlias = fn __lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t: returns::offset,
        fd fd;
    Lseek64 = fn lseek64(fd: c_int, offset: off64_t, whence: c_int) -> off64_t: returns::offset,
        fd fd;
    Fsync = fn fsync(fd: c_int) -> c_int: returns::status,
        fd fd;
    Fdatasync = fn fdatasync(fd: c_int) -> c_int: returns::status,
        fd fd;
    Syncfs = fn syncfs(fd: c_int) -> c_int: returns::status,
        fd fd;
    SyncFileRange = fn sync_file_range(fd: c_int, at: off64_t, size: off64_t, flags: c_uint) -> c_int: returns::status,
        fd fd;
    Ftruncate = fn ftruncate(fd: c_int, length: off_t) -> c_int: returns::status,
        fd fd;
    Ftruncate64 = fn ftruncate64(fd: c_int, length: off64_t) -> c_int: returns::status,
        fd fd;
    Fallocate = fn fallocate(fd: c_int, mode: c_int, at: off_t, length: off_t) -> c_int: returns::status,
        fd fd;
    Fallocate64 = fn fallocate64(fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int: returns::status,
        fd fd;
    PosixFallocate = fn posix_fallocate(fd: c_int, at: off_t, length: off_t) -> c_int: returns::error_number,
        fd fd;
    PosixFallocate64 = fn posix_fallocate64(fd: c_int, at: off64_t, length: off64_t) -> c_int: returns::error_number,
        fd fd;
    PosixFadvise = fn posix_fadvise(fd: c_int, at: off_t, length: off_t, advice: c_int) -> c_int: returns::error_number,
        fd fd;
    PosixFadvise64 = fn posix_fadvise64(fd: c_int, at: off64_t, length: off64_t, advice: c_int) -> c_int: returns::error_number,
        fd fd;
    CopyFileRange = fn copy_file_range(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size;
    Sendfile = fn sendfile(to: c_int, from: c_int, at: *mut off_t, size: size_t) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::sendfile(parts, from, to, size, |size| reissue::sendfile(to, from, at, size), next);
    Sendfile64 = fn sendfile64(to: c_int, from: c_int, at: *mut off64_t, size: size_t) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::sendfile(parts, from, to, size, |size| reissue::sendfile64(to, from, at, size), next);
    Splice = fn splice(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::splice(parts, coop::Splice { from, to, has_places: [!from_at.is_null(), !to_at.is_null()], size, flags }, |size, more| reissue::splice(from, from_at, to, to_at, size, flags | more), next);
    Tee = fn tee(from: c_int, to: c_int, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size;
    Vmsplice = fn vmsplice(fd: c_int, array: *const iovec, count: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count);
}
