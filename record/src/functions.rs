//! The one table of interposed functions.
//!
//! A row is all that the rest of Weir knows of a function: the enum that indexes counters and
//! `next` pointers, the names in the report, the table in `docs/functions.md` and the test that
//! compares what the library exports all come from it. A new function is a row here and a body in
//! the preloaded library's `hooks`.

/// What a function is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The heap.
    Alloc,
    /// Files, by path or descriptor.
    File,
    /// The life of the process: what must flush, or starts another image.
    Process,
}

impl Family {
    /// The family's name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Alloc => "alloc",
            Family::File => "file",
            Family::Process => "process",
        }
    }
}

/// What a call does, as far as totals are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes a heap block.
    Allocate,
    /// Changes a heap block's size.
    Resize,
    /// Gives a heap block back.
    Free,
    /// Asks about something and changes nothing.
    Query,
    /// Makes a descriptor.
    Open,
    /// Closes a descriptor.
    Close,
    /// Moves bytes into the program.
    Read,
    /// Moves bytes out of the program.
    Write,
    /// Moves a file offset.
    Seek,
    /// Waits for storage.
    Sync,
    /// Ends the process.
    Exit,
    /// Replaces the process image.
    Exec,
    /// Makes a process.
    Fork,
}

/// How a function tells its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// A pointer; NULL is failure.
    Pointer,
    /// A size that cannot fail.
    Size,
    /// A count of bytes; -1 is failure, with errno.
    Bytes,
    /// A descriptor; -1 is failure, with errno.
    Descriptor,
    /// A file offset; -1 is failure, with errno.
    Offset,
    /// 0; -1 is failure, with errno.
    Status,
    /// 0, or the number of an error.
    ErrorNumber,
    /// A process id; -1 is failure, with errno.
    ProcessId,
    /// Nothing.
    Nothing,
    /// It does not return, or only when it failed.
    Never,
}

/// Which argument (counted from 0) is the size that a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// It has none.
    None,
    /// This argument.
    Argument(u8),
    /// The product of two.
    Product(u8, u8),
    /// The lengths in an `iovec` array: the array, and how many it holds.
    Vector(u8, u8),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The symbol.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    /// What it does.
    pub role: Role,
    /// What its return value means.
    pub returns: Returns,
    /// Which argument is the size.
    pub size: Size,
    /// Which argument is a file descriptor.
    pub fd: Option<u8>,
    /// Which argument is a path.
    pub path: Option<u8>,
}

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

        static TABLE: [Row; Function::COUNT] = [$(Row {
            name: $name,
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

use Size::{Argument, Product, Vector};

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
    Openat = "openat": File Open Descriptor, fd 0, path 1;
    Openat64 = "openat64": File Open Descriptor, fd 0, path 1;
    OpenatChk = "__openat_2": File Open Descriptor, fd 0, path 1;
    Openat64Chk = "__openat64_2": File Open Descriptor, fd 0, path 1;
    Creat = "creat": File Open Descriptor, path 0;
    Creat64 = "creat64": File Open Descriptor, path 0;
    Close = "close": File Close Status, fd 0;
    Read = "read": File Read Bytes, size Argument(2), fd 0;
    ReadChk = "__read_chk": File Read Bytes, size Argument(2), fd 0;
    Pread = "pread": File Read Bytes, size Argument(2), fd 0;
    Pread64 = "pread64": File Read Bytes, size Argument(2), fd 0;
    PreadChk = "__pread_chk": File Read Bytes, size Argument(2), fd 0;
    Pread64Chk = "__pread64_chk": File Read Bytes, size Argument(2), fd 0;
    Readv = "readv": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv = "preadv": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv64 = "preadv64": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv2 = "preadv2": File Read Bytes, size Vector(1, 2), fd 0;
    Preadv64v2 = "preadv64v2": File Read Bytes, size Vector(1, 2), fd 0;
    Write = "write": File Write Bytes, size Argument(2), fd 0;
    Pwrite = "pwrite": File Write Bytes, size Argument(2), fd 0;
    Pwrite64 = "pwrite64": File Write Bytes, size Argument(2), fd 0;
    Writev = "writev": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev = "pwritev": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev64 = "pwritev64": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev2 = "pwritev2": File Write Bytes, size Vector(1, 2), fd 0;
    Pwritev64v2 = "pwritev64v2": File Write Bytes, size Vector(1, 2), fd 0;
    Lseek = "lseek": File Seek Offset, fd 0;
    Lseek64 = "lseek64": File Seek Offset, fd 0;
    Fsync = "fsync": File Sync Status, fd 0;
    Fdatasync = "fdatasync": File Sync Status, fd 0;

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
    UnderscoreFork = "_Fork": Process Fork ProcessId;
}

impl Function {
    /// The function's place in the table, in the counters and in a sample.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The function at a place of the table.
    pub fn from_index(index: usize) -> Option<Function> {
        Function::ALL.get(index).copied()
    }

    /// The function's row.
    pub fn row(self) -> &'static Row {
        &TABLE[self.index()]
    }

    /// The symbol.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Where the function's size classes stand among those of the functions that have a size.
    pub const fn sized_index(self) -> Option<usize> {
        match SIZED_INDEX[self.index()] {
            UNSIZED => None,
            index => Some(index as usize),
        }
    }
}

const UNSIZED: u16 = u16::MAX;

const SIZED_INDEX: [u16; Function::COUNT] = {
    let mut indices = [UNSIZED; Function::COUNT];
    let mut next = 0;
    let mut function = 0;
    while function < Function::COUNT {
        if !matches!(TABLE[function].size, Size::None) {
            indices[function] = next;
            next += 1;
        }
        function += 1;
    }
    indices
};

/// How many functions have a size.
pub const SIZED_COUNT: usize = {
    let mut count = 0;
    let mut function = 0;
    while function < Function::COUNT {
        if SIZED_INDEX[function] != UNSIZED {
            count += 1;
        }
        function += 1;
    }
    count
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_by_index() {
        for (index, function) in Function::ALL.into_iter().enumerate() {
            assert_eq!(function.index(), index);
            assert_eq!(Function::from_index(index), Some(function));
            let twins = Function::ALL
                .iter()
                .filter(|other| other.name() == function.name());
            assert_eq!(twins.count(), 1, "{}", function.name());
        }
        assert_eq!(Function::from_index(Function::COUNT), None);
    }

    #[test]
    fn sized_functions_are_numbered_without_a_gap() {
        let indices: Vec<usize> = Function::ALL
            .into_iter()
            .filter_map(Function::sized_index)
            .collect();
        assert_eq!(indices, (0..SIZED_COUNT).collect::<Vec<_>>());
        assert_eq!(Function::Free.sized_index(), None);
    }
}
