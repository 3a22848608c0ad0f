//! The rows.
//!
//! Names that begin with `__` or `_IO_` are other names of the plain functions, from old headers or from fortified
//! ones (`_chk`, `_2`); those with `64` have 64-bit file offsets.

use super::{Family, Returns, Role, Row, Size};

macro_rules! functions {
    ($($variant:ident = $name:literal: $family:ident $role:ident $returns:ident
        $(, size $size:expr)? $(, fd $fd:literal)? $(, path $path:literal)?;)+) => {
        /// An interposed function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Function { $(#[doc = concat!("`", $name, "`")] $variant,)+ }

        impl Function {
            /// Every function, in the order of the table.
            pub const ALL: [Function; Function::COUNT] = [$(Function::$variant),+];
            /// How many there are.
            pub const COUNT: usize = [$(Function::$variant),+].len();
        }

        /// The names, for what is worked out when Weir is built.
        pub(super) const NAMES: [&str; Function::COUNT] = [$($name),+];

        /// All names, one after the other: a pointer to each would have to be relocated in every process.
        pub(super) const TEXT: &str = concat!($($name),+);

        /// Where each name ends in the text.
        pub(super) static ENDS: [u16; Function::COUNT] = {
            let mut ends = [0; Function::COUNT];
            let (mut index, mut end) = (0, 0);
            while index < Function::COUNT {
                end += NAMES[index].len();
                assert!(end <= u16::MAX as usize);
                ends[index] = end as u16;
                index += 1;
            }
            ends
        };

        pub(super) static TABLE: [Row; Function::COUNT] = [$(Row {
            family: Family::$family,
            role: Role::$role,
            returns: Returns::$returns,
            size: functions!(@or Size::None $(, $size)?),
            fd: functions!(@or None $(, Some($fd))?),
            path: functions!(@or None $(, Some($path))?),
        }),+];
    };
    (@or $default:expr) => { $default };
    (@or $default:expr, $given:expr) => { $given };
}

use Size::{Argument, Message, Product, Vector};

functions! {
    Malloc = "malloc": Alloc Allocate Pointer, size Argument(0);
    Calloc = "calloc": Alloc Allocate Pointer, size Product(0, 1);
    Realloc = "realloc": Alloc Resize Pointer, size Argument(1);
    Reallocarray = "reallocarray": Alloc Resize Pointer, size Product(1, 2);
    Free = "free": Alloc Free Nothing;
    Cfree = "cfree": Alloc Free Nothing;
    FreeSized = "free_sized": Alloc Free Nothing, size Argument(1);
    FreeAlignedSized = "free_aligned_sized": Alloc Free Nothing, size Argument(2);
    PosixMemalign = "posix_memalign": Alloc Allocate ErrorNumber, size Argument(2);
    AlignedAlloc = "aligned_alloc": Alloc Allocate Pointer, size Argument(1);
    Memalign = "memalign": Alloc Allocate Pointer, size Argument(1);
    Valloc = "valloc": Alloc Allocate Pointer, size Argument(0);
    Pvalloc = "pvalloc": Alloc Allocate Pointer, size Argument(0);
    MallocUsableSize = "malloc_usable_size": Alloc Query Size;

    Open = "open": File Open Descriptor, path 0;
    Open64 = "open64": File Open Descriptor, path 0;
    OpenChk = "__open_2": File Open Descriptor, path 0;
    Open64Chk = "__open64_2": File Open Descriptor, path 0;
    OpenAlias = "__open": File Open Descriptor, path 0;
    Open64Alias = "__open64": File Open Descriptor, path 0;
    Openat = "openat": File Open Descriptor, fd 0, path 1;
    Openat64 = "openat64": File Open Descriptor, fd 0, path 1;
    OpenatChk = "__openat_2": File Open Descriptor, fd 0, path 1;
    Openat64Chk = "__openat64_2": File Open Descriptor, fd 0, path 1;
    Creat = "creat": File Open Descriptor, path 0;
    Creat64 = "creat64": File Open Descriptor, path 0;
    Mkstemp = "mkstemp": File Open Descriptor, path 0;
    Mkstemp64 = "mkstemp64": File Open Descriptor, path 0;
    Mkostemp = "mkostemp": File Open Descriptor, path 0;
    Mkostemp64 = "mkostemp64": File Open Descriptor, path 0;
    Mkstemps = "mkstemps": File Open Descriptor, path 0;
    Mkstemps64 = "mkstemps64": File Open Descriptor, path 0;
    Mkostemps = "mkostemps": File Open Descriptor, path 0;
    Mkostemps64 = "mkostemps64": File Open Descriptor, path 0;
    Close = "close": File Close Status, fd 0;
    CloseAlias = "__close": File Close Status, fd 0;
    Read = "read": File Read Bytes, size Argument(2), fd 0;
    ReadAlias = "__read": File Read Bytes, size Argument(2), fd 0;
    ReadChk = "__read_chk": File Read Bytes, size Argument(2), fd 0;
    Pread = "pread": File Read Bytes, size Argument(2), fd 0;
    Pread64 = "pread64": File Read Bytes, size Argument(2), fd 0;
    Pread64Alias = "__pread64": File Read Bytes, size Argument(2), fd 0;
    PreadChk = "__pread_chk": File Read Bytes, size Argument(2), fd 0;
    Pread64Chk = "__pread64_chk": File Read Bytes, size Argument(2), fd 0;
    Readv = "readv": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv = "preadv": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv64 = "preadv64": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv2 = "preadv2": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv64v2 = "preadv64v2": File Read Bytes, size Vector(1, 2), fd 0;
    Write = "write": File Write Bytes, size Argument(2), fd 0;
    WriteAlias = "__write": File Write Bytes, size Argument(2), fd 0;
    Pwrite = "pwrite": File Write Bytes, size Argument(2), fd 0;
    Pwrite64 = "pwrite64": File Write Bytes, size Argument(2), fd 0;
    Pwrite64Alias = "__pwrite64": File Write Bytes, size Argument(2), fd 0;
    Writev = "writev": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev = "pwritev": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev64 = "pwritev64": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev2 = "pwritev2": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev64v2 = "pwritev64v2": File Write Bytes, size Vector(1, 2), fd 0;
    Lseek = "lseek": File Seek Offset, fd 0;
    LseekAlias = "__lseek": File Seek Offset, fd 0;
    Lseek64 = "lseek64": File Seek Offset, fd 0;
    Fsync = "fsync": File Sync Status, fd 0;
    Fdatasync = "fdatasync": File Sync Status, fd 0;
    Syncfs = "syncfs": File Sync Status, fd 0;
    SyncFileRange = "sync_file_range": File Sync Status, fd 0;
    Ftruncate = "ftruncate": File Control Status, fd 0;
    Ftruncate64 = "ftruncate64": File Control Status, fd 0;
    Fallocate = "fallocate": File Control Status, fd 0;
    Fallocate64 = "fallocate64": File Control Status, fd 0;
    PosixFallocate = "posix_fallocate": File Control ErrorNumber, fd 0;
    PosixFallocate64 = "posix_fallocate64": File Control ErrorNumber, fd 0;
    PosixFadvise = "posix_fadvise": File Control ErrorNumber, fd 0;
    PosixFadvise64 = "posix_fadvise64": File Control ErrorNumber, fd 0;
    CopyFileRange = "copy_file_range": File Move Bytes, size Argument(4), fd 0;
    Sendfile = "sendfile": File Move Bytes, size Argument(3), fd 1;
    Sendfile64 = "sendfile64": File Move Bytes, size Argument(3), fd 1;
    Splice = "splice": File Move Bytes, size Argument(4), fd 0;
    Tee = "tee": File Move Bytes, size Argument(2), fd 0;
    Vmsplice = "vmsplice": File Write Bytes, size Vector(1, 2), fd 0;

    Dup = "dup": Descriptor Open Descriptor, fd 0;
    Dup2 = "dup2": Descriptor Open Descriptor, fd 0;
    Dup2Alias = "__dup2": Descriptor Open Descriptor, fd 0;
    Dup3 = "dup3": Descriptor Open Descriptor, fd 0;
    LoginTty = "login_tty": Descriptor Control Status, fd 0;
    Fcntl = "fcntl": Descriptor Control Status, fd 0;
    FcntlAlias = "__fcntl": Descriptor Control Status, fd 0;
    Fcntl64 = "fcntl64": Descriptor Control Status, fd 0;
    Ioctl = "ioctl": Descriptor Control Status, fd 0;
    Pipe = "pipe": Descriptor Open Status;
    PipeAlias = "__pipe": Descriptor Open Status;
    Pipe2 = "pipe2": Descriptor Open Status;
    Eventfd = "eventfd": Descriptor Open Descriptor;
    EventfdRead = "eventfd_read": Descriptor Read Status, fd 0;
    EventfdWrite = "eventfd_write": Descriptor Write Status, fd 0;
    Signalfd = "signalfd": Descriptor Open Descriptor;
    TimerfdCreate = "timerfd_create": Descriptor Open Descriptor;
    InotifyInit = "inotify_init": Descriptor Open Descriptor;
    InotifyInit1 = "inotify_init1": Descriptor Open Descriptor;
    MemfdCreate = "memfd_create": Descriptor Open Descriptor;
    EpollCreate = "epoll_create": Descriptor Open Descriptor;
    EpollCreate1 = "epoll_create1": Descriptor Open Descriptor;
    EpollCtl = "epoll_ctl": Descriptor Control Status, fd 0;
    CloseRange = "close_range": Descriptor Close Status;
    Closefrom = "closefrom": Descriptor Close Nothing;

    Socket = "socket": Socket Open Descriptor;
    Socketpair = "socketpair": Socket Open Status;
    Bind = "bind": Socket Connect Status, fd 0;
    Listen = "listen": Socket Control Status, fd 0;
    Connect = "connect": Socket Connect Status, fd 0;
    ConnectAlias = "__connect": Socket Connect Status, fd 0;
    Accept = "accept": Socket Accept Descriptor, fd 0;
    Accept4 = "accept4": Socket Accept Descriptor, fd 0;
    Shutdown = "shutdown": Socket Control Status, fd 0;
    Recv = "recv": Socket Read Bytes, size Argument(2), fd 0;
    RecvChk = "__recv_chk": Socket Read Bytes, size Argument(2), fd 0;
    Recvfrom = "recvfrom": Socket Read Bytes, size Argument(2), fd 0;
    RecvfromChk = "__recvfrom_chk": Socket Read Bytes, size Argument(2), fd 0;
    Recvmsg = "recvmsg": Socket Read Bytes, size Message(1), fd 0;
    Recvmmsg = "recvmmsg": Socket Read Messages, fd 0;
    Send = "send": Socket Write Bytes, size Argument(2), fd 0;
    SendAlias = "__send": Socket Write Bytes, size Argument(2), fd 0;
    Sendto = "sendto": Socket Write Bytes, size Argument(2), fd 0;
    Sendmsg = "sendmsg": Socket Write Bytes, size Message(1), fd 0;
    Sendmmsg = "sendmmsg": Socket Write Messages, fd 0;
    Setsockopt = "setsockopt": Socket Control Status, fd 0;
    Getsockopt = "getsockopt": Socket Query Status, fd 0;
    Getsockname = "getsockname": Socket Query Status, fd 0;
    Getpeername = "getpeername": Socket Query Status, fd 0;

    Poll = "poll": Wait Wait Count;
    PollAlias = "__poll": Wait Wait Count;
    PollChk = "__poll_chk": Wait Wait Count;
    Ppoll = "ppoll": Wait Wait Count;
    PpollChk = "__ppoll_chk": Wait Wait Count;
    Select = "select": Wait Wait Count;
    SelectAlias = "__select": Wait Wait Count;
    Pselect = "pselect": Wait Wait Count;
    EpollWait = "epoll_wait": Wait Wait Count, fd 0;
    EpollPwait = "epoll_pwait": Wait Wait Count, fd 0;
    EpollPwait2 = "epoll_pwait2": Wait Wait Count, fd 0;
    Sleep = "sleep": Wait Sleep Size;
    Usleep = "usleep": Wait Sleep Status;
    Nanosleep = "nanosleep": Wait Sleep Status;
    NanosleepAlias = "__nanosleep": Wait Sleep Status;
    ClockNanosleep = "clock_nanosleep": Wait Sleep ErrorNumber;
    Getaddrinfo = "getaddrinfo": Wait Wait Resolution;
    WaitChild = "wait": Wait Wait ProcessId;
    WaitChildAlias = "__wait": Wait Wait ProcessId;
    Waitpid = "waitpid": Wait Wait ProcessId;
    WaitpidAlias = "__waitpid": Wait Wait ProcessId;
    Wait3 = "wait3": Wait Wait ProcessId;
    Wait4 = "wait4": Wait Wait ProcessId;
    Waitid = "waitid": Wait Wait Status;
    CondWait = "pthread_cond_wait": Wait Wait ErrorNumber;
    CondTimedwait = "pthread_cond_timedwait": Wait Wait ErrorNumber;
    CondClockwait = "pthread_cond_clockwait": Wait Wait ErrorNumber;
    CndWait = "cnd_wait": Wait Wait ThreadResult;
    CndTimedwait = "cnd_timedwait": Wait Wait ThreadResult;
    BarrierWait = "pthread_barrier_wait": Wait Wait Size;
    Join = "pthread_join": Wait Wait ErrorNumber;
    TimedJoin = "pthread_timedjoin_np": Wait Wait ErrorNumber;
    ClockJoin = "pthread_clockjoin_np": Wait Wait ErrorNumber;
    ThrdJoin = "thrd_join": Wait Wait ThreadResult;
    Futex = "futex": Wait Wait Status;

    MutexLock = "pthread_mutex_lock": Lock Lock ErrorNumber;
    MutexLockAlias = "__pthread_mutex_lock": Lock Lock ErrorNumber;
    MutexTimedlock = "pthread_mutex_timedlock": Lock Lock ErrorNumber;
    MutexClocklock = "pthread_mutex_clocklock": Lock Lock ErrorNumber;
    MtxLock = "mtx_lock": Lock Lock ThreadResult;
    MtxTimedlock = "mtx_timedlock": Lock Lock ThreadResult;
    RwlockRdlock = "pthread_rwlock_rdlock": Lock Lock ErrorNumber;
    RwlockRdlockAlias = "__pthread_rwlock_rdlock": Lock Lock ErrorNumber;
    RwlockTimedrdlock = "pthread_rwlock_timedrdlock": Lock Lock ErrorNumber;
    RwlockClockrdlock = "pthread_rwlock_clockrdlock": Lock Lock ErrorNumber;
    RwlockWrlock = "pthread_rwlock_wrlock": Lock Lock ErrorNumber;
    RwlockWrlockAlias = "__pthread_rwlock_wrlock": Lock Lock ErrorNumber;
    RwlockTimedwrlock = "pthread_rwlock_timedwrlock": Lock Lock ErrorNumber;
    RwlockClockwrlock = "pthread_rwlock_clockwrlock": Lock Lock ErrorNumber;
    SemWait = "sem_wait": Lock Lock Status;
    SemTimedwait = "sem_timedwait": Lock Lock Status;
    SemClockwait = "sem_clockwait": Lock Lock Status;

    Mmap = "mmap": Map Map Address, size Argument(1), fd 4;
    Mmap64 = "mmap64": Map Map Address, size Argument(1), fd 4;
    Munmap = "munmap": Map Unmap Status, size Argument(1);
    Mremap = "mremap": Map Map Address, size Argument(2);
    Mprotect = "mprotect": Map Map Status, size Argument(1);
    PkeyMprotect = "pkey_mprotect": Map Map Status, size Argument(1);
    Msync = "msync": Map Sync Status, size Argument(1);
    Madvise = "madvise": Map Control Status, size Argument(1);
    PosixMadvise = "posix_madvise": Map Control ErrorNumber, size Argument(1);
    Brk = "brk": Map Map Status;
    Sbrk = "sbrk": Map Map Address;
    SbrkAlias = "__sbrk": Map Map Address;

    Stat = "stat": Metadata Query Status, path 0;
    Stat64 = "stat64": Metadata Query Status, path 0;
    Lstat = "lstat": Metadata Query Status, path 0;
    Lstat64 = "lstat64": Metadata Query Status, path 0;
    Fstat = "fstat": Metadata Query Status, fd 0;
    Fstat64 = "fstat64": Metadata Query Status, fd 0;
    Fstatat = "fstatat": Metadata Query Status, fd 0, path 1;
    Fstatat64 = "fstatat64": Metadata Query Status, fd 0, path 1;
    Xstat = "__xstat": Metadata Query Status, path 1;
    Xstat64 = "__xstat64": Metadata Query Status, path 1;
    Lxstat = "__lxstat": Metadata Query Status, path 1;
    Lxstat64 = "__lxstat64": Metadata Query Status, path 1;
    Fxstat = "__fxstat": Metadata Query Status, fd 1;
    Fxstat64 = "__fxstat64": Metadata Query Status, fd 1;
    Fxstatat = "__fxstatat": Metadata Query Status, fd 1, path 2;
    Fxstatat64 = "__fxstatat64": Metadata Query Status, fd 1, path 2;
    Statx = "statx": Metadata Query Status, fd 0, path 1;
    Access = "access": Metadata Query Status, path 0;
    Euidaccess = "euidaccess": Metadata Query Status, path 0;
    Eaccess = "eaccess": Metadata Query Status, path 0;
    Faccessat = "faccessat": Metadata Query Status, fd 0, path 1;
    Readlink = "readlink": Metadata Query Length, path 0;
    ReadlinkChk = "__readlink_chk": Metadata Query Length, path 0;
    Readlinkat = "readlinkat": Metadata Query Length, fd 0, path 1;
    ReadlinkatChk = "__readlinkat_chk": Metadata Query Length, fd 0, path 1;
    Unlink = "unlink": Metadata Change Status, path 0;
    Unlinkat = "unlinkat": Metadata Change Status, fd 0, path 1;
    Remove = "remove": Metadata Change Status, path 0;
    Rename = "rename": Metadata Change Status, path 0;
    Renameat = "renameat": Metadata Change Status, fd 0, path 1;
    Renameat2 = "renameat2": Metadata Change Status, fd 0, path 1;
    Mkdir = "mkdir": Metadata Change Status, path 0;
    Mkdirat = "mkdirat": Metadata Change Status, fd 0, path 1;
    Mkdtemp = "mkdtemp": Metadata Change Handle, path 0;
    Rmdir = "rmdir": Metadata Change Status, path 0;
    Link = "link": Metadata Change Status, path 0;
    Linkat = "linkat": Metadata Change Status, fd 0, path 1;
    Symlink = "symlink": Metadata Change Status, path 1;
    Symlinkat = "symlinkat": Metadata Change Status, fd 1, path 2;
    Truncate = "truncate": Metadata Change Status, path 0;
    Truncate64 = "truncate64": Metadata Change Status, path 0;
    Chmod = "chmod": Metadata Change Status, path 0;
    Fchmod = "fchmod": Metadata Change Status, fd 0;
    Fchmodat = "fchmodat": Metadata Change Status, fd 0, path 1;
    Chown = "chown": Metadata Change Status, path 0;
    Lchown = "lchown": Metadata Change Status, path 0;
    Fchown = "fchown": Metadata Change Status, fd 0;
    Fchownat = "fchownat": Metadata Change Status, fd 0, path 1;
    Utimensat = "utimensat": Metadata Change Status, fd 0, path 1;
    Futimens = "futimens": Metadata Change Status, fd 0;
    Chdir = "chdir": Metadata Change Status, path 0;
    Fchdir = "fchdir": Metadata Change Status, fd 0;
    Chroot = "chroot": Metadata Change Status, path 0;
    Opendir = "opendir": Metadata Open Handle, path 0;
    Fdopendir = "fdopendir": Metadata Control Handle, fd 0;
    Closedir = "closedir": Metadata Close Status;
    Readdir = "readdir": Metadata Query Entry;
    Readdir64 = "readdir64": Metadata Query Entry;
    ReaddirR = "readdir_r": Metadata Query ErrorNumber;
    Readdir64R = "readdir64_r": Metadata Query ErrorNumber;
    Rewinddir = "rewinddir": Metadata Seek Nothing;
    Seekdir = "seekdir": Metadata Seek Nothing;
    Scandir = "scandir": Metadata Query Count, path 0;
    Scandir64 = "scandir64": Metadata Query Count, path 0;

    Fopen = "fopen": Stdio Open Handle, path 0;
    Fopen64 = "fopen64": Stdio Open Handle, path 0;
    IoFopen = "_IO_fopen": Stdio Open Handle, path 0;
    Fdopen = "fdopen": Stdio Control Handle, fd 0;
    IoFdopen = "_IO_fdopen": Stdio Control Handle, fd 0;
    Freopen = "freopen": Stdio Open Handle, path 0;
    Freopen64 = "freopen64": Stdio Open Handle, path 0;
    Tmpfile = "tmpfile": Stdio Open Handle;
    Tmpfile64 = "tmpfile64": Stdio Open Handle;
    Popen = "popen": Stdio Open Handle;
    IoPopen = "_IO_popen": Stdio Open Handle;
    Pclose = "pclose": Stdio Close Status;
    Fclose = "fclose": Stdio Close Status;
    IoFclose = "_IO_fclose": Stdio Close Status;
    Fcloseall = "fcloseall": Stdio Close Status;
    Fflush = "fflush": Stdio Sync Status;
    FflushUnlocked = "fflush_unlocked": Stdio Sync Status;
    IoFflush = "_IO_fflush": Stdio Sync Status;
    Fread = "fread": Stdio Read Items, size Product(1, 2);
    FreadUnlocked = "fread_unlocked": Stdio Read Items, size Product(1, 2);
    FreadChk = "__fread_chk": Stdio Read Items, size Product(2, 3);
    FreadUnlockedChk = "__fread_unlocked_chk": Stdio Read Items, size Product(2, 3);
    IoFread = "_IO_fread": Stdio Read Items, size Product(1, 2);
    Fwrite = "fwrite": Stdio Write Items, size Product(1, 2);
    FwriteUnlocked = "fwrite_unlocked": Stdio Write Items, size Product(1, 2);
    IoFwrite = "_IO_fwrite": Stdio Write Items, size Product(1, 2);
    Fgets = "fgets": Stdio Read Line;
    FgetsUnlocked = "fgets_unlocked": Stdio Read Line;
    FgetsChk = "__fgets_chk": Stdio Read Line;
    FgetsUnlockedChk = "__fgets_unlocked_chk": Stdio Read Line;
    IoFgets = "_IO_fgets": Stdio Read Line;
    Gets = "gets": Stdio Read Line;
    GetsChk = "__gets_chk": Stdio Read Line;
    IoGets = "_IO_gets": Stdio Read Line;
    Fputs = "fputs": Stdio Write Text;
    FputsUnlocked = "fputs_unlocked": Stdio Write Text;
    IoFputs = "_IO_fputs": Stdio Write Text;
    Puts = "puts": Stdio Write Text;
    IoPuts = "_IO_puts": Stdio Write Text;
    Fgetc = "fgetc": Stdio Read Character;
    FgetcUnlocked = "fgetc_unlocked": Stdio Read Character;
    Getc = "getc": Stdio Read Character;
    GetcUnlocked = "getc_unlocked": Stdio Read Character;
    IoGetc = "_IO_getc": Stdio Read Character;
    Getchar = "getchar": Stdio Read Character;
    GetcharUnlocked = "getchar_unlocked": Stdio Read Character;
    Uflow = "__uflow": Stdio Read Character;
    Underflow = "__underflow": Stdio Query Character;
    Getw = "getw": Stdio Read Word;
    Fputc = "fputc": Stdio Write Character;
    FputcUnlocked = "fputc_unlocked": Stdio Write Character;
    Putc = "putc": Stdio Write Character;
    PutcUnlocked = "putc_unlocked": Stdio Write Character;
    IoPutc = "_IO_putc": Stdio Write Character;
    Putchar = "putchar": Stdio Write Character;
    PutcharUnlocked = "putchar_unlocked": Stdio Write Character;
    Overflow = "__overflow": Stdio Write Character;
    Putw = "putw": Stdio Write Word;
    Ungetc = "ungetc": Stdio Control Status;
    IoUngetc = "_IO_ungetc": Stdio Control Status;
    Getline = "getline": Stdio Read Length;
    Getdelim = "getdelim": Stdio Read Length;
    GetdelimAlias = "__getdelim": Stdio Read Length;
    Fseek = "fseek": Stdio Seek Status;
    Fseeko = "fseeko": Stdio Seek Status;
    Fseeko64 = "fseeko64": Stdio Seek Status;
    Ftell = "ftell": Stdio Query Offset;
    IoFtell = "_IO_ftell": Stdio Query Offset;
    Ftello = "ftello": Stdio Query Offset;
    Ftello64 = "ftello64": Stdio Query Offset;
    Rewind = "rewind": Stdio Seek Nothing;
    Fgetpos = "fgetpos": Stdio Query Status;
    Fgetpos64 = "fgetpos64": Stdio Query Status;
    IoFgetpos = "_IO_fgetpos": Stdio Query Status;
    IoFgetpos64 = "_IO_fgetpos64": Stdio Query Status;
    Fsetpos = "fsetpos": Stdio Seek Status;
    Fsetpos64 = "fsetpos64": Stdio Seek Status;
    IoFsetpos = "_IO_fsetpos": Stdio Seek Status;
    IoFsetpos64 = "_IO_fsetpos64": Stdio Seek Status;
    Perror = "perror": Stdio Write Nothing;
    Fgetwc = "fgetwc": Stdio Read Wide;
    FgetwcUnlocked = "fgetwc_unlocked": Stdio Read Wide;
    Getwc = "getwc": Stdio Read Wide;
    GetwcUnlocked = "getwc_unlocked": Stdio Read Wide;
    Getwchar = "getwchar": Stdio Read Wide;
    GetwcharUnlocked = "getwchar_unlocked": Stdio Read Wide;
    Fgetws = "fgetws": Stdio Read WideLine;
    FgetwsUnlocked = "fgetws_unlocked": Stdio Read WideLine;
    FgetwsChk = "__fgetws_chk": Stdio Read WideLine;
    FgetwsUnlockedChk = "__fgetws_unlocked_chk": Stdio Read WideLine;
    Fputwc = "fputwc": Stdio Write Wide;
    FputwcUnlocked = "fputwc_unlocked": Stdio Write Wide;
    Putwc = "putwc": Stdio Write Wide;
    PutwcUnlocked = "putwc_unlocked": Stdio Write Wide;
    Putwchar = "putwchar": Stdio Write Wide;
    PutwcharUnlocked = "putwchar_unlocked": Stdio Write Wide;
    Fputws = "fputws": Stdio Write WideText;
    FputwsUnlocked = "fputws_unlocked": Stdio Write WideText;
    Ungetwc = "ungetwc": Stdio Control Wide;
    Wuflow = "__wuflow": Stdio Read Wide;
    Wunderflow = "__wunderflow": Stdio Query Wide;
    Woverflow = "__woverflow": Stdio Write Wide;
    Printf = "printf": Stdio Write Printed;
    PrintfChk = "__printf_chk": Stdio Write Printed;
    IoPrintf = "_IO_printf": Stdio Write Printed;
    Fprintf = "fprintf": Stdio Write Printed;
    FprintfChk = "__fprintf_chk": Stdio Write Printed;
    IoFprintf = "_IO_fprintf": Stdio Write Printed;
    Dprintf = "dprintf": Stdio Write Printed;
    DprintfChk = "__dprintf_chk": Stdio Write Printed;
    Vprintf = "vprintf": Stdio Write Printed;
    VprintfChk = "__vprintf_chk": Stdio Write Printed;
    Vfprintf = "vfprintf": Stdio Write Printed;
    VfprintfChk = "__vfprintf_chk": Stdio Write Printed;
    IoVfprintf = "_IO_vfprintf": Stdio Write Printed;
    Vdprintf = "vdprintf": Stdio Write Printed;
    VdprintfChk = "__vdprintf_chk": Stdio Write Printed;
    Scanf = "scanf": Stdio Read Scanned;
    Isoc99Scanf = "__isoc99_scanf": Stdio Read Scanned;
    Isoc23Scanf = "__isoc23_scanf": Stdio Read Scanned;
    Fscanf = "fscanf": Stdio Read Scanned;
    Isoc99Fscanf = "__isoc99_fscanf": Stdio Read Scanned;
    Isoc23Fscanf = "__isoc23_fscanf": Stdio Read Scanned;
    Vscanf = "vscanf": Stdio Read Scanned;
    Isoc99Vscanf = "__isoc99_vscanf": Stdio Read Scanned;
    Isoc23Vscanf = "__isoc23_vscanf": Stdio Read Scanned;
    Vfscanf = "vfscanf": Stdio Read Scanned;
    VfscanfAlias = "__vfscanf": Stdio Read Scanned;
    Isoc99Vfscanf = "__isoc99_vfscanf": Stdio Read Scanned;
    Isoc23Vfscanf = "__isoc23_vfscanf": Stdio Read Scanned;
    Wprintf = "wprintf": Stdio Write WidePrinted;
    WprintfChk = "__wprintf_chk": Stdio Write WidePrinted;
    Fwprintf = "fwprintf": Stdio Write WidePrinted;
    FwprintfChk = "__fwprintf_chk": Stdio Write WidePrinted;
    Vwprintf = "vwprintf": Stdio Write WidePrinted;
    VwprintfChk = "__vwprintf_chk": Stdio Write WidePrinted;
    Vfwprintf = "vfwprintf": Stdio Write WidePrinted;
    VfwprintfChk = "__vfwprintf_chk": Stdio Write WidePrinted;
    Wscanf = "wscanf": Stdio Read Scanned;
    Isoc99Wscanf = "__isoc99_wscanf": Stdio Read Scanned;
    Isoc23Wscanf = "__isoc23_wscanf": Stdio Read Scanned;
    Fwscanf = "fwscanf": Stdio Read Scanned;
    Isoc99Fwscanf = "__isoc99_fwscanf": Stdio Read Scanned;
    Isoc23Fwscanf = "__isoc23_fwscanf": Stdio Read Scanned;
    Vwscanf = "vwscanf": Stdio Read Scanned;
    Isoc99Vwscanf = "__isoc99_vwscanf": Stdio Read Scanned;
    Isoc23Vwscanf = "__isoc23_vwscanf": Stdio Read Scanned;
    Vfwscanf = "vfwscanf": Stdio Read Scanned;
    Isoc99Vfwscanf = "__isoc99_vfwscanf": Stdio Read Scanned;
    Isoc23Vfwscanf = "__isoc23_vfwscanf": Stdio Read Scanned;

    StdioRead = "_IO_file_read": StdioSystem Read Bytes, size Argument(2);
    StdioWrite = "_IO_file_write": StdioSystem Write Bytes, size Argument(2);
    StdioSeek = "_IO_file_seek": StdioSystem Seek Offset;
    StdioClose = "_IO_file_close": StdioSystem Close Status;
    StdioStat = "_IO_file_stat": StdioSystem Query Status;

    UnderscoreExit = "_exit": Process Exit Never;
    UnderscoreExitC99 = "_Exit": Process Exit Never;
    QuickExit = "quick_exit": Process Exit Never;
    Execv = "execv": Process Exec Never, path 0;
    Execve = "execve": Process Exec Never, path 0;
    Execvp = "execvp": Process Exec Never, path 0;
    Execvpe = "execvpe": Process Exec Never, path 0;
    Execl = "execl": Process Exec Never, path 0;
    Execle = "execle": Process Exec Never, path 0;
    Execlp = "execlp": Process Exec Never, path 0;
    Execveat = "execveat": Process Exec Never, fd 0, path 1;
    Fexecve = "fexecve": Process Exec Never, fd 0;
    Fork = "fork": Process Fork ProcessId;
    ForkAlias = "__fork": Process Fork ProcessId;
    UnderscoreFork = "_Fork": Process Fork ProcessId;
    Vfork = "vfork": Process Fork Nothing;
    VforkAlias = "__vfork": Process Fork Nothing;
    Clone = "clone": Process Fork ProcessId;
    CloneAlias = "__clone": Process Fork ProcessId;
    PosixSpawn = "posix_spawn": Process Spawn ErrorNumber, path 1;
    PosixSpawnp = "posix_spawnp": Process Spawn ErrorNumber, path 1;
    Prctl = "prctl": Process Control Status;
    Unshare = "unshare": Process Control Status;
    Setns = "setns": Process Control Status, fd 0;

    PthreadCreate = "pthread_create": CountOnly CountOnly ErrorNumber;
    Dlclose = "dlclose": CountOnly CountOnly ErrorNumber;
    AioRead = "aio_read": CountOnly CountOnly Status;
    AioRead64 = "aio_read64": CountOnly CountOnly Status;
    AioWrite = "aio_write": CountOnly CountOnly Status;
    AioWrite64 = "aio_write64": CountOnly CountOnly Status;
    LioListio = "lio_listio": CountOnly CountOnly Status;
    LioListio64 = "lio_listio64": CountOnly CountOnly Status;
    Syscall = "syscall": CountOnly CountOnly Nothing;
    Sigaction = "sigaction": CountOnly CountOnly Status;
    SigactionAlias = "__sigaction": CountOnly CountOnly Status;
    Signal = "signal": CountOnly CountOnly Handler;
    BsdSignal = "bsd_signal": CountOnly CountOnly Handler;
    Ssignal = "ssignal": CountOnly CountOnly Handler;
    SysvSignal = "sysv_signal": CountOnly CountOnly Handler;
    SysvSignalAlias = "__sysv_signal": CountOnly CountOnly Handler;
    Sigset = "sigset": CountOnly CountOnly Handler;
    Sigignore = "sigignore": CountOnly CountOnly Status;
    Siginterrupt = "siginterrupt": CountOnly CountOnly Status;
    Setuid = "setuid": CountOnly CountOnly Status;
    Setreuid = "setreuid": CountOnly CountOnly Status;
    Setresuid = "setresuid": CountOnly CountOnly Status;
}
