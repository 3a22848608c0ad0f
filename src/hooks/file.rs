//! What files hold: descriptors made, closed, read, written, moved in and synced.
//!
//! The integer after `open`'s flags is a variable argument; in the calling convention of x86-64 it arrives
//! where a fixed one would (System V ABI, AMD64 supplement, 3.2.3), so it is taken and passed as one.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libc::{iovec, mode_t, off_t, off64_t, size_t, ssize_t};

use weir_record::functions::Function;

use super::{again, io_hooks};
use crate::coop;
use crate::files;
use crate::recording::{Vector, returns};

io_hooks! {
    Open = open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64 = open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    OpenChk = __open_2(path: *const c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64Chk = __open64_2(path: *const c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    OpenAlias = __open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Open64Alias = __open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened_with(flags, result, libc::AT_FDCWD, path);
    Openat = openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        dir dir,
        then |result| files::opened_with(flags, result, dir, path);
    Openat64 = openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int: returns::status,
        dir dir,
        then |result| files::opened_with(flags, result, dir, path);
    OpenatChk = __openat_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir,
        then |result| files::opened_with(flags, result, dir, path);
    Openat64Chk = __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir,
        then |result| files::opened_with(flags, result, dir, path);
    Creat = creat(path: *const c_char, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, path);
    Creat64 = creat64(path: *const c_char, mode: mode_t) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, path);
    Mkstemp = mkstemp(template: *mut c_char) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkstemp64 = mkstemp64(template: *mut c_char) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkostemp = mkostemp(template: *mut c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkostemp64 = mkostemp64(template: *mut c_char, flags: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkstemps = mkstemps(template: *mut c_char, suffix: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkstemps64 = mkstemps64(template: *mut c_char, suffix: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkostemps = mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Mkostemps64 = mkostemps64(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int: returns::status,
        then |result| files::opened(result, libc::AT_FDCWD, template);
    Close = close(fd: c_int) -> c_int: returns::status,
        fd fd;
    CloseAlias = __close(fd: c_int) -> c_int: returns::status,
        fd fd;
    Read = read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::read(parts, fd, size, |flags| again::recv_from(fd, buffer, size, 0, flags), next);
    ReadAlias = __read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::read(parts, fd, size, |flags| again::recv_from(fd, buffer, size, 0, flags), next);
    ReadChk = __read_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| if size > room { next() } else { coop::read(parts, fd, size, |flags| again::recv_from(fd, buffer, size, 0, flags), next) };
    Pread = pread(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64 = pread64(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64Alias = __pread64(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    PreadChk = __pread_chk(fd: c_int, buffer: *mut c_void, size: size_t, at: off_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pread64Chk = __pread64_chk(fd: c_int, buffer: *mut c_void, size: size_t, at: off64_t, room: size_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Readv = readv(fd: c_int, array: *const iovec, count: c_int) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count as usize),
        parts |parts, next| again::readv(parts, fd, array, count, next);
    Preadv = preadv(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv64 = preadv64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv2 = preadv2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Preadv64v2 = preadv64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Write = write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::write(parts, fd, size, |from, flags| again::send(fd, buffer, size, from, flags), |from, count| again::write(fd, buffer, from, count), next);
    WriteAlias = __write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t: returns::bytes,
        fd fd, size size,
        parts |parts, next| coop::write(parts, fd, size, |from, flags| again::send(fd, buffer, size, from, flags), |from, count| again::write(fd, buffer, from, count), next);
    Pwrite = pwrite(fd: c_int, buffer: *const c_void, size: size_t, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pwrite64 = pwrite64(fd: c_int, buffer: *const c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Pwrite64Alias = __pwrite64(fd: c_int, buffer: *const c_void, size: size_t, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size size;
    Writev = writev(fd: c_int, array: *const iovec, count: c_int) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count as usize),
        parts |parts, next| again::writev(parts, fd, array, count, next);
    Pwritev = pwritev(fd: c_int, array: *const iovec, count: c_int, at: off_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev64 = pwritev64(fd: c_int, array: *const iovec, count: c_int, at: off64_t) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev2 = pwritev2(fd: c_int, array: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Pwritev64v2 = pwritev64v2(fd: c_int, array: *const iovec, count: c_int, at: off64_t, flags: c_int) -> ssize_t: returns::bytes,
        fd fd, at at, size Vector::new(array, count as usize);
    Lseek = lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t: returns::offset,
        fd fd;
    LseekAlias = __lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t: returns::offset,
        fd fd;
    Lseek64 = lseek64(fd: c_int, offset: off64_t, whence: c_int) -> off64_t: returns::offset,
        fd fd;
    Fsync = fsync(fd: c_int) -> c_int: returns::status,
        fd fd;
    Fdatasync = fdatasync(fd: c_int) -> c_int: returns::status,
        fd fd;
    Syncfs = syncfs(fd: c_int) -> c_int: returns::status,
        fd fd;
    SyncFileRange = sync_file_range(fd: c_int, at: off64_t, size: off64_t, flags: c_uint) -> c_int: returns::status,
        fd fd;
    Ftruncate = ftruncate(fd: c_int, length: off_t) -> c_int: returns::status,
        fd fd;
    Ftruncate64 = ftruncate64(fd: c_int, length: off64_t) -> c_int: returns::status,
        fd fd;
    Fallocate = fallocate(fd: c_int, mode: c_int, at: off_t, length: off_t) -> c_int: returns::status,
        fd fd;
    Fallocate64 = fallocate64(fd: c_int, mode: c_int, at: off64_t, length: off64_t) -> c_int: returns::status,
        fd fd;
    PosixFallocate = posix_fallocate(fd: c_int, at: off_t, length: off_t) -> c_int: returns::error_number,
        fd fd;
    PosixFallocate64 = posix_fallocate64(fd: c_int, at: off64_t, length: off64_t) -> c_int: returns::error_number,
        fd fd;
    PosixFadvise = posix_fadvise(fd: c_int, at: off_t, length: off_t, advice: c_int) -> c_int: returns::error_number,
        fd fd;
    PosixFadvise64 = posix_fadvise64(fd: c_int, at: off64_t, length: off64_t, advice: c_int) -> c_int: returns::error_number,
        fd fd;
    CopyFileRange = copy_file_range(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size;
    Sendfile = sendfile(to: c_int, from: c_int, at: *mut off_t, size: size_t) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::sendfile(parts, from, to, size, |size| again::sendfile(Function::Sendfile, to, from, at, size), next);
    Sendfile64 = sendfile64(to: c_int, from: c_int, at: *mut off64_t, size: size_t) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::sendfile(parts, from, to, size, |size| again::sendfile(Function::Sendfile64, to, from, at, size), next);
    Splice = splice(from: c_int, from_at: *mut off64_t, to: c_int, to_at: *mut off64_t, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size,
        parts |parts, next| coop::splice(parts, coop::Splice { from, to, has_places: [!from_at.is_null(), !to_at.is_null()], size, flags }, |size, more| again::splice(from, from_at, to, to_at, size, flags | more), next);
    Tee = tee(from: c_int, to: c_int, size: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd from, to to, size size;
    Vmsplice = vmsplice(fd: c_int, array: *const iovec, count: size_t, flags: c_uint) -> ssize_t: returns::bytes,
        fd fd, size Vector::new(array, count);
}
