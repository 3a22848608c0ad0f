//! What a file system knows of files; directories.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{gid_t, mode_t, off_t, off64_t, size_t, ssize_t, timespec, uid_t};

use super::io_hooks;
use crate::files::{self, directory_fd};
use crate::recording::returns;

io_hooks! {
    Stat = stat(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Stat64 = stat64(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lstat = lstat(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lstat64 = lstat64(path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Fstat = fstat(fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fstat64 = fstat64(fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fstatat = fstatat(dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Fstatat64 = fstatat64(dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Xstat = __xstat(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Xstat64 = __xstat64(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lxstat = __lxstat(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Lxstat64 = __lxstat64(version: c_int, path: *const c_char, to: *mut c_void) -> c_int: returns::status;
    Fxstat = __fxstat(version: c_int, fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fxstat64 = __fxstat64(version: c_int, fd: c_int, to: *mut c_void) -> c_int: returns::status,
        fd fd;
    Fxstatat = __fxstatat(version: c_int, dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Fxstatat64 = __fxstatat64(version: c_int, dir: c_int, path: *const c_char, to: *mut c_void, flags: c_int) -> c_int: returns::status,
        dir dir;
    Statx = statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, to: *mut c_void) -> c_int: returns::status,
        dir dir;
    Access = access(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Euidaccess = euidaccess(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Eaccess = eaccess(path: *const c_char, mode: c_int) -> c_int: returns::status;
    Faccessat = faccessat(dir: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int: returns::status,
        dir dir;
    Readlink = readlink(path: *const c_char, buffer: *mut c_char, size: size_t) -> ssize_t: returns::length;
    ReadlinkChk = __readlink_chk(path: *const c_char, buffer: *mut c_char, size: size_t, room: size_t) -> ssize_t: returns::length;
    Readlinkat = readlinkat(dir: c_int, path: *const c_char, buffer: *mut c_char, size: size_t) -> ssize_t: returns::length,
        dir dir;
    ReadlinkatChk = __readlinkat_chk(dir: c_int, path: *const c_char, buffer: *mut c_char, size: size_t, room: size_t) -> ssize_t: returns::length,
        dir dir;
    Unlink = unlink(path: *const c_char) -> c_int: returns::status;
    Unlinkat = unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int: returns::status,
        dir dir;
    Remove = remove(path: *const c_char) -> c_int: returns::status;
    Rename = rename(from: *const c_char, to: *const c_char) -> c_int: returns::status;
    Renameat = renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int: returns::status,
        dir from_dir;
    Renameat2 = renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int: returns::status,
        dir from_dir;
    Mkdir = mkdir(path: *const c_char, mode: mode_t) -> c_int: returns::status;
    Mkdirat = mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int: returns::status,
        dir dir;
    Mkdtemp = mkdtemp(template: *mut c_char) -> *mut c_char: returns::handle;
    Rmdir = rmdir(path: *const c_char) -> c_int: returns::status;
    Link = link(from: *const c_char, to: *const c_char) -> c_int: returns::status;
    Linkat = linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) -> c_int: returns::status,
        dir from_dir;
    Symlink = symlink(to: *const c_char, path: *const c_char) -> c_int: returns::status;
    Symlinkat = symlinkat(to: *const c_char, dir: c_int, path: *const c_char) -> c_int: returns::status,
        dir dir;
    Truncate = truncate(path: *const c_char, length: off_t) -> c_int: returns::status;
    Truncate64 = truncate64(path: *const c_char, length: off64_t) -> c_int: returns::status;
    Chmod = chmod(path: *const c_char, mode: mode_t) -> c_int: returns::status;
    Fchmod = fchmod(fd: c_int, mode: mode_t) -> c_int: returns::status,
        fd fd;
    Fchmodat = fchmodat(dir: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int: returns::status,
        dir dir;
    Chown = chown(path: *const c_char, user: uid_t, group: gid_t) -> c_int: returns::status;
    Lchown = lchown(path: *const c_char, user: uid_t, group: gid_t) -> c_int: returns::status;
    Fchown = fchown(fd: c_int, user: uid_t, group: gid_t) -> c_int: returns::status,
        fd fd;
    Fchownat = fchownat(dir: c_int, path: *const c_char, user: uid_t, group: gid_t, flags: c_int) -> c_int: returns::status,
        dir dir;
    Utimensat = utimensat(dir: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int: returns::status,
        dir dir;
    Futimens = futimens(fd: c_int, times: *const timespec) -> c_int: returns::status,
        fd fd;
    Chdir = chdir(path: *const c_char) -> c_int: returns::status,
        then |result| files::changed_directory(result);
    Fchdir = fchdir(fd: c_int) -> c_int: returns::status,
        fd fd,
        then |result| files::changed_directory_to(fd, result);
    Chroot = chroot(path: *const c_char) -> c_int: returns::status,
        then |result| files::changed_root(result);
    Opendir = opendir(path: *const c_char) -> *mut c_void: returns::handle,
        then |result| files::opened_directory(result, path);
    Fdopendir = fdopendir(fd: c_int) -> *mut c_void: returns::handle,
        fd fd,
        then |result| files::made_directory_stream(fd, result);
    Closedir = closedir(directory: *mut c_void) -> c_int: returns::status,
        fd directory_fd(directory);
    Readdir = readdir(directory: *mut c_void) -> *mut c_void: returns::entry,
        fd directory_fd(directory);
    Readdir64 = readdir64(directory: *mut c_void) -> *mut c_void: returns::entry,
        fd directory_fd(directory);
    ReaddirR = readdir_r(directory: *mut c_void, entry: *mut c_void, result_place: *mut c_void) -> c_int: returns::error_number,
        fd directory_fd(directory);
    Readdir64R = readdir64_r(directory: *mut c_void, entry: *mut c_void, result_place: *mut c_void) -> c_int: returns::error_number,
        fd directory_fd(directory);
    Rewinddir = rewinddir(directory: *mut c_void): returns::nothing,
        fd directory_fd(directory);
    Seekdir = seekdir(directory: *mut c_void, place: c_long): returns::nothing,
        fd directory_fd(directory);
    Scandir = scandir(path: *const c_char, list: *mut c_void, filter: *mut c_void, compare: *mut c_void) -> c_int: returns::status;
    Scandir64 = scandir64(path: *const c_char, list: *mut c_void, filter: *mut c_void, compare: *mut c_void) -> c_int: returns::status;
}
