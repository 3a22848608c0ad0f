//! Metadata of files, and directories.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{gid_t, mode_t, off_t, off64_t, size_t, ssize_t, timespec, uid_t};

use super::io_hooks;
use crate::files::{self, directory_fd};
use crate::program_memory::given;
use crate::recording::returns;

io_hooks! {
    Stat = fn stat(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Stat64 = fn stat64(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lstat = fn lstat(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lstat64 = fn lstat64(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Fstat = fn fstat(fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fstat64 = fn fstat64(fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fstatat = fn fstatat(dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Fstatat64 = fn fstatat64(dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Xstat = fn __xstat(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Xstat64 = fn __xstat64(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lxstat = fn __lxstat(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lxstat64 = fn __lxstat64(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Fxstat = fn __fxstat(version: c_int, fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fxstat64 = fn __fxstat64(version: c_int, fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fxstatat = fn __fxstatat(version: c_int, dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Fxstatat64 = fn __fxstatat64(version: c_int, dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Statx = fn statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, to: *mut c_void) -> c_int: returns::status,
        dir dir;
    Access = fn access(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Euidaccess = fn euidaccess(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Eaccess = fn eaccess(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Faccessat = fn faccessat(dir: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int: returns::status,
        dir dir;
    Readlink = fn readlink(path: *const c_char, buffer: *mut c_char, size: size_t) -> ssize_t: returns::length;
    ReadlinkChk = fn __readlink_chk(path: *const c_char, buffer: *mut c_char, size: size_t, room: size_t) -> ssize_t: returns::length;
    Readlinkat = fn readlinkat(dir: c_int, path: *const c_char, buffer: *mut c_char, size: size_t) -> ssize_t: returns::length,
        dir dir;
    ReadlinkatChk = fn __readlinkat_chk(dir: c_int, path: *const c_char, buffer: *mut c_char, size: size_t, room: size_t) -> ssize_t: returns::length,
        dir dir;
    Unlink = fn unlink(path: *const c_char) -> c_int: returns::status;
    Unlinkat = fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir;
    Remove = fn remove(path: *const c_char) -> c_int: returns::status;
    Rename = fn rename(from: *const c_char, to: *const c_char) -> c_int: returns::status;
    Renameat = fn renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int: returns::status,
        dir from_dir;
    Renameat2 = fn renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int: returns::status,
        dir from_dir;
    Mkdir = fn mkdir(path: *const c_char, mode: mode_t) -> c_int: returns::status;
    Mkdirat = fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int: returns::status,
        dir dir;
    Mkdtemp = fn mkdtemp(template: *mut c_char) -> *mut c_char: returns::handle;
    Rmdir = fn rmdir(path: *const c_char) -> c_int: returns::status;
    Link = fn link(from: *const c_char, to: *const c_char) -> c_int: returns::status;
    Linkat = fn linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) -> c_int: returns::status,
        dir from_dir;
    Symlink = fn symlink(to: *const c_char, path: *const c_char) -> c_int: returns::status;
    Symlinkat = fn symlinkat(to: *const c_char, dir: c_int, path: *const c_char) -> c_int: returns::status,
        dir dir;
    Truncate = fn truncate(path: *const c_char, length: off_t) -> c_int: returns::status;
    Truncate64 = fn truncate64(path: *const c_char, length: off64_t) -> c_int: returns::status;
    Chmod = fn chmod(path: *const c_char, mode: mode_t) -> c_int: returns::status;
    Fchmod = fn fchmod(fd: c_int, mode: mode_t) -> c_int: returns::status,
        fd fd;
    Fchmodat = fn fchmodat(dir: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int: returns::status,
        dir dir;
    Chown = fn chown(path: *const c_char, user: uid_t, group: gid_t) -> c_int: returns::status;
    Lchown = fn lchown(path: *const c_char, user: uid_t, group: gid_t) -> c_int: returns::status;
    Fchown = fn fchown(fd: c_int, user: uid_t, group: gid_t) -> c_int: returns::status,
        fd fd;
    Fchownat = fn fchownat(dir: c_int, path: *const c_char, user: uid_t, group: gid_t, flags: c_int) -> c_int: returns::status,
        dir dir;
    Utimensat = fn utimensat(dir: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int: returns::status,
        dir dir;
    Futimens = fn futimens(fd: c_int, times: *const timespec) -> c_int: returns::status,
        fd fd;
    Chdir = fn chdir(path: *const c_char) -> c_int: returns::status,
        then |result| files::changed_directory(result);
    Fchdir = fn fchdir(fd: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::changed_directory_to(fd, result);
    Chroot = fn chroot(path: *const c_char) -> c_int: returns::status,
        then |result| files::changed_root(result);
    Opendir = fn opendir(path: *const c_char) -> *mut c_void: returns::handle,
        before given::note_text(path),
        then |result| files::opened_directory(result, path);
    Fdopendir = fn fdopendir(fd: c_int) -> *mut c_void: returns::handle,
        fd fd,
        then |result| files::made_directory_stream(fd, result);
    Closedir = fn closedir(directory: *mut c_void) -> c_int: returns::status,
        fd directory_fd(directory);
    Readdir = fn readdir(directory: *mut c_void) -> *mut c_void: returns::entry,
        fd directory_fd(directory);
    Readdir64 = fn readdir64(directory: *mut c_void) -> *mut c_void: returns::entry,
        fd directory_fd(directory);
    ReaddirR = fn readdir_r(directory: *mut c_void, entry: *mut c_void, result_place: *mut c_void) -> c_int: returns::error_number,
        fd directory_fd(directory);
    Readdir64R = fn readdir64_r(directory: *mut c_void, entry: *mut c_void, result_place: *mut c_void) -> c_int: returns::error_number,
        fd directory_fd(directory);
    Rewinddir = fn rewinddir(directory: *mut c_void): returns::nothing,
        fd directory_fd(directory);
    Seekdir = fn seekdir(directory: *mut c_void, place: c_long): returns::nothing,
        fd directory_fd(directory);
    Scandir = fn scandir(path: *const c_char, list: *mut c_void, filter: *mut c_void, compare: *mut c_void) -> c_int: returns::status;
    Scandir64 = fn scandir64(path: *const c_char, list: *mut c_void, filter: *mut c_void, compare: *mut c_void) -> c_int: returns::status;
}
