//! What is compared: interposed functions, and the system call that each of their calls makes.

/// Functions of one purpose, and their system calls.
pub struct Kind {
    /// The name of the kind in these tests.
    pub name: &'static str,
    /// The functions.
    pub functions: &'static [&'static str],
    /// The system calls. A function may also make others, which are not compared.
    pub calls: &'static [&'static str],
    /// Whether the result is a number of bytes.
    pub moves: bool,
}

const fn calls(
    name: &'static str,
    functions: &'static [&'static str],
    calls: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        functions,
        calls,
        moves: false,
    }
}

const fn moving(
    name: &'static str,
    functions: &'static [&'static str],
    calls: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        functions,
        calls,
        moves: true,
    }
}

/// The name of the kind for functions that open a stream.
pub const FOPEN: &str = "fopen";

/// All kinds. These are left out: `readdir`, which asks the kernel once for many entries; `sbrk`, which asks the
/// kernel only for a change; and functions that make several system calls.
#[rustfmt::skip]
pub const ALL: &[Kind] = &[
    moving("read", &["read", "__read", "__read_chk", "eventfd_read"], &["read"]),
    moving("pread", &["pread", "pread64", "__pread64", "__pread_chk", "__pread64_chk"], &["pread64"]),
    moving("readv", &["readv"], &["readv"]),
    moving("preadv", &["preadv", "preadv64", "preadv2", "preadv64v2"], &["preadv", "preadv2"]),
    moving("write", &["write", "__write", "eventfd_write"], &["write"]),
    moving("pwrite", &["pwrite", "pwrite64", "__pwrite64"], &["pwrite64"]),
    moving("writev", &["writev"], &["writev"]),
    moving("pwritev", &["pwritev", "pwritev64", "pwritev2", "pwritev64v2"], &["pwritev", "pwritev2"]),
    calls("wait", &["wait", "__wait", "waitpid", "__waitpid", "wait3", "wait4"], &["wait4"]),
    calls("waitid", &["waitid"], &["waitid"]),
    calls("open", &["open", "open64", "__open", "__open64", "__open_2", "__open64_2", "openat", "openat64",
        "__openat_2", "__openat64_2", "creat", "creat64"], &["open", "openat", "creat"]),
    calls("mkstemp", &["mkstemp", "mkstemp64", "mkostemp", "mkostemp64", "mkstemps", "mkstemps64", "mkostemps",
        "mkostemps64"], &["openat"]),
    calls("close", &["close", "__close"], &["close"]),
    calls("lseek", &["lseek", "__lseek", "lseek64"], &["lseek"]),
    calls("fsync", &["fsync"], &["fsync"]),
    calls("fdatasync", &["fdatasync"], &["fdatasync"]),
    calls("syncfs", &["syncfs"], &["syncfs"]),
    calls("sync_file_range", &["sync_file_range"], &["sync_file_range"]),
    calls("ftruncate", &["ftruncate", "ftruncate64"], &["ftruncate"]),
    calls("fallocate", &["fallocate", "fallocate64", "posix_fallocate", "posix_fallocate64"], &["fallocate"]),
    calls("fadvise", &["posix_fadvise", "posix_fadvise64"], &["fadvise64"]),
    moving("copy_file_range", &["copy_file_range"], &["copy_file_range"]),
    moving("sendfile", &["sendfile", "sendfile64"], &["sendfile"]),
    moving("splice", &["splice"], &["splice"]),
    moving("tee", &["tee"], &["tee"]),
    moving("vmsplice", &["vmsplice"], &["vmsplice"]),

    calls("dup", &["dup"], &["dup"]),
    calls("dup2", &["dup2", "__dup2"], &["dup2"]),
    calls("dup3", &["dup3"], &["dup3"]),
    calls("fcntl", &["fcntl", "__fcntl", "fcntl64"], &["fcntl"]),
    calls("ioctl", &["ioctl"], &["ioctl"]),
    calls("pipe", &["pipe", "__pipe", "pipe2"], &["pipe", "pipe2"]),
    calls("eventfd", &["eventfd"], &["eventfd2"]),
    calls("signalfd", &["signalfd"], &["signalfd4"]),
    calls("timerfd_create", &["timerfd_create"], &["timerfd_create"]),
    calls("inotify_init", &["inotify_init", "inotify_init1"], &["inotify_init", "inotify_init1"]),
    calls("memfd_create", &["memfd_create"], &["memfd_create"]),
    calls("epoll_create", &["epoll_create", "epoll_create1"], &["epoll_create", "epoll_create1"]),
    calls("epoll_ctl", &["epoll_ctl"], &["epoll_ctl"]),
    calls("close_range", &["close_range", "closefrom"], &["close_range"]),

    calls("socket", &["socket"], &["socket"]),
    calls("socketpair", &["socketpair"], &["socketpair"]),
    calls("bind", &["bind"], &["bind"]),
    calls("listen", &["listen"], &["listen"]),
    calls("connect", &["connect", "__connect"], &["connect"]),
    calls("accept", &["accept", "accept4"], &["accept", "accept4"]),
    calls("shutdown", &["shutdown"], &["shutdown"]),
    moving("recv", &["recv", "__recv_chk", "recvfrom", "__recvfrom_chk"], &["recvfrom"]),
    moving("recvmsg", &["recvmsg"], &["recvmsg"]),
    calls("recvmmsg", &["recvmmsg"], &["recvmmsg"]),
    moving("send", &["send", "__send", "sendto"], &["sendto"]),
    moving("sendmsg", &["sendmsg"], &["sendmsg"]),
    calls("sendmmsg", &["sendmmsg"], &["sendmmsg"]),
    calls("setsockopt", &["setsockopt"], &["setsockopt"]),
    calls("getsockopt", &["getsockopt"], &["getsockopt"]),
    calls("getsockname", &["getsockname"], &["getsockname"]),
    calls("getpeername", &["getpeername"], &["getpeername"]),

    calls("poll", &["poll", "__poll", "__poll_chk", "ppoll", "__ppoll_chk"], &["poll", "ppoll"]),
    calls("select", &["select", "__select", "pselect"], &["select", "pselect6"]),
    calls("epoll_wait", &["epoll_wait", "epoll_pwait", "epoll_pwait2"],
        &["epoll_wait", "epoll_pwait", "epoll_pwait2"]),
    calls("sleep", &["sleep", "usleep", "nanosleep", "__nanosleep", "clock_nanosleep"],
        &["nanosleep", "clock_nanosleep"]),

    calls("mmap", &["mmap", "mmap64"], &["mmap"]),
    calls("munmap", &["munmap"], &["munmap"]),
    calls("mremap", &["mremap"], &["mremap"]),
    calls("mprotect", &["mprotect", "pkey_mprotect"], &["mprotect", "pkey_mprotect"]),
    calls("msync", &["msync"], &["msync"]),
    calls("madvise", &["madvise", "posix_madvise"], &["madvise"]),
    calls("brk", &["brk"], &["brk"]),

    calls("stat", &["stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat", "fstatat64", "__xstat",
        "__xstat64", "__lxstat", "__lxstat64", "__fxstat", "__fxstat64", "__fxstatat", "__fxstatat64"],
        &["newfstatat", "stat", "lstat", "fstat"]),
    calls("statx", &["statx"], &["statx"]),
    calls("access", &["access", "euidaccess", "eaccess", "faccessat"], &["access", "faccessat", "faccessat2"]),
    calls("readlink", &["readlink", "__readlink_chk", "readlinkat", "__readlinkat_chk"],
        &["readlink", "readlinkat"]),
    calls("unlink", &["unlink", "unlinkat"], &["unlink", "unlinkat"]),
    calls("remove", &["remove"], &["unlink"]),
    calls("rename", &["rename", "renameat", "renameat2"], &["rename", "renameat", "renameat2"]),
    calls("mkdir", &["mkdir", "mkdirat"], &["mkdir", "mkdirat"]),
    calls("mkdtemp", &["mkdtemp"], &["mkdir"]),
    calls("rmdir", &["rmdir"], &["rmdir"]),
    calls("link", &["link", "linkat"], &["link", "linkat"]),
    calls("symlink", &["symlink", "symlinkat"], &["symlink", "symlinkat"]),
    calls("truncate", &["truncate", "truncate64"], &["truncate"]),
    calls("chmod", &["chmod", "fchmod", "fchmodat"], &["chmod", "fchmod", "fchmodat", "fchmodat2"]),
    calls("chown", &["chown", "lchown", "fchown", "fchownat"], &["chown", "lchown", "fchown", "fchownat"]),
    calls("utimensat", &["utimensat", "futimens"], &["utimensat"]),
    calls("chdir", &["chdir", "fchdir"], &["chdir", "fchdir"]),
    calls("chroot", &["chroot"], &["chroot"]),
    calls("opendir", &["opendir"], &["openat"]),
    // closedir ends in a jump to `__close_nocancel`.
    calls("closedir", &["closedir", "__close_nocancel"], &["close"]),
    calls("scandir", &["scandir", "scandir64"], &["openat"]),
    calls("prctl", &["prctl"], &["prctl"]),

    calls(FOPEN, &["fopen", "fopen64", "_IO_fopen", "freopen", "freopen64"], &["openat"]),
    moving("_IO_file_read", &["_IO_file_read"], &["read"]),
    moving("_IO_file_write", &["_IO_file_write"], &["write"]),
    calls("_IO_file_seek", &["_IO_file_seek"], &["lseek"]),
    calls("_IO_file_close", &["_IO_file_close"], &["close"]),
    calls("_IO_file_stat", &["_IO_file_stat"], &["newfstatat"]),
];

/// The kind of an interposed function.
pub fn of_function(function: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.functions.contains(&function))
}

/// The kind of a system call that stdio made.
pub fn of_stdio(call: &str) -> Option<&'static Kind> {
    ALL.iter()
        .find(|kind| kind.name.starts_with("_IO_file_") && kind.calls.contains(&call))
}

/// Whether the call is about memory maps. The C library makes as many of these as its addresses require.
pub fn is_of_maps(call: &str) -> bool {
    matches!(
        call,
        "mmap" | "munmap" | "mremap" | "mprotect" | "madvise" | "brk"
    )
}

/// Whether a system call moves bytes.
pub fn moves(call: &str) -> bool {
    ALL.iter()
        .any(|kind| kind.moves && kind.calls.contains(&call))
}

/// Every system call that is compared.
pub fn system_calls() -> Vec<&'static str> {
    let mut calls: Vec<_> = ALL.iter().flat_map(|kind| kind.calls).copied().collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}
