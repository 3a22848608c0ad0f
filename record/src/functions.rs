//! The one table of interposed functions.
//!
//! A row has all that the rest of Weir needs to know of a function: the enum that indexes counters and
//! `next` pointers, the names in the report, the table in `docs/functions.md` and the test that
//! compares what the library exports all come from it. A new function is a row here and a body in
//! the preloaded library's `hooks`. The rows themselves are in `functions/rows.rs`,
//! what is computed from them when Weir is built in `functions/indexes.rs`.

mod indexes;
mod rows;

pub use indexes::{OFTEN_SIZED_COUNT, SELDOM_SIZED_COUNT, SIZED_COUNT, Sized, WAITING_COUNT};
pub use rows::Function;

/// What a function is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// The heap.
    Alloc,
    /// What a file holds, by descriptor; and files opened by path.
    File,
    /// Descriptors as such, and what else has one.
    Descriptor,
    /// Sockets.
    Socket,
    /// Waiting, for descriptors, for time to pass, for children, or for other threads.
    Wait,
    /// Locks and semaphores, of calls that find them taken.
    Lock,
    /// Memory maps.
    Map,
    /// What a file system knows of files, and directories.
    Metadata,
    /// What the program asks of stdio.
    Stdio,
    /// What stdio asks of the kernel.
    StdioSystem,
    /// The life of the process: what must flush, or starts another image.
    Process,
    /// Calls are counted, and neither timed nor measured.
    CountOnly,
}

impl Family {
    /// All of them, in the order of the table.
    pub const ALL: [Family; Family::COUNT] = [
        Family::Alloc,
        Family::File,
        Family::Descriptor,
        Family::Socket,
        Family::Wait,
        Family::Lock,
        Family::Map,
        Family::Metadata,
        Family::Stdio,
        Family::StdioSystem,
        Family::Process,
        Family::CountOnly,
    ];

    /// How many there are.
    pub const COUNT: usize = 12;

    /// The family's place among all.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The family's name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Alloc => "alloc",
            Family::File => "file",
            Family::Descriptor => "descriptor",
            Family::Socket => "socket",
            Family::Wait => "wait",
            Family::Lock => "lock",
            Family::Map => "memory_map",
            Family::Metadata => "metadata",
            Family::Stdio => "stdio",
            Family::StdioSystem => "stdio_system",
            Family::Process => "process",
            Family::CountOnly => "count_only",
        }
    }

    /// Which calls of the family are timed.
    pub const fn timing(self) -> Timing {
        match self {
            Family::Alloc | Family::Stdio => Timing::Sampled,
            Family::Process | Family::CountOnly => Timing::Never,
            _ => Timing::Always,
        }
    }

    /// Whether the functions of the family do I/O by asking the kernel, so that their bytes may be summed up:
    /// what the program reads from stdio is what stdio read from the kernel, and not read twice.
    pub const fn is_io(self) -> bool {
        matches!(
            self,
            Family::File | Family::Descriptor | Family::Socket | Family::StdioSystem
        )
    }
}

/// Which calls are timed, unless timing is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Every call.
    Always,
    /// One call in so many: reading the clock twice may cost more than the call.
    Sampled,
    /// None.
    Never,
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
    /// Makes a descriptor, or a stream.
    Open,
    /// Closes a descriptor, or a stream.
    Close,
    /// Moves bytes into the program.
    Read,
    /// Moves bytes out of the program.
    Write,
    /// Moves bytes from one descriptor to another.
    Move,
    /// Moves an offset.
    Seek,
    /// Waits for storage, or empties a buffer.
    Sync,
    /// Changes how something works.
    Control,
    /// Names a socket's end, or connects it.
    Connect,
    /// Waits for a connection and makes a descriptor for it.
    Accept,
    /// Waits for descriptors.
    Wait,
    /// Lets time pass.
    Sleep,
    /// Waits for what another thread holds.
    Lock,
    /// Makes or moves a memory map, or changes who may use it.
    Map,
    /// Gives a memory map back.
    Unmap,
    /// Changes what a file system knows.
    Change,
    /// Ends the process.
    Exit,
    /// Replaces the process image.
    Exec,
    /// Makes a process.
    Fork,
    /// Makes a process of another image.
    Spawn,
    /// Is only counted.
    CountOnly,
}

/// How a function returns its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// A heap block; NULL is failure.
    Pointer,
    /// A size that cannot fail.
    Size,
    /// A count of bytes that were moved; -1 is failure, with errno.
    Bytes,
    /// A count of bytes that were read or asked about; -1 is failure, with errno, or, of a stream, its end.
    Length,
    /// A descriptor; -1 is failure, with errno.
    Descriptor,
    /// A file offset; -1 is failure, with errno.
    Offset,
    /// 0 or more; -1 is failure, with errno.
    Status,
    /// How many there are; -1 is failure, with errno.
    Count,
    /// How many messages were moved, the lengths of which stand in the array; -1 is failure, with errno.
    Messages,
    /// A pointer; NULL is failure, with errno.
    Handle,
    /// A pointer; NULL is the end, or failure where errno has changed.
    Entry,
    /// An address; MAP_FAILED is failure, with errno.
    Address,
    /// 0, or the number of an error.
    ErrorNumber,
    /// 0, or an error number of its own, which is reported as the most similar errno.
    Resolution,
    /// thrd_success, or another constant of <threads.h>, which is reported as the most similar errno.
    ThreadResult,
    /// How a signal was handled before; SIG_ERR is failure, with errno.
    Handler,
    /// A process id; -1 is failure, with errno.
    ProcessId,
    /// So many items of a size; fewer than were asked for is the end, or failure where the stream has an error.
    Items,
    /// A character of one byte; EOF is the end, or failure where the stream has an error.
    Character,
    /// A word of four bytes; EOF as above.
    Word,
    /// A wide character; WEOF as above.
    Wide,
    /// A line in memory; NULL is the end, or failure where the stream has an error.
    Line,
    /// A line of wide characters; NULL as above.
    WideLine,
    /// 0 or more where the whole text was written; EOF is failure, with errno.
    Text,
    /// As that, of wide characters.
    WideText,
    /// How many bytes were written; less than 0 is failure, with errno.
    Printed,
    /// How many wide characters were written; less than 0 is failure, with errno.
    WidePrinted,
    /// How many values were read; EOF is the end, or failure where the stream has an error.
    Scanned,
    /// Nothing.
    Nothing,
    /// It does not return, or only when it failed.
    Never,
}

impl Returns {
    /// Whether the number of moved bytes is not known: wide characters, and values in a text.
    pub const fn hides_bytes(self) -> bool {
        matches!(
            self,
            Returns::Wide
                | Returns::WideLine
                | Returns::WideText
                | Returns::WidePrinted
                | Returns::Scanned
        )
    }

    /// Whether a failed call has an errno to report.
    pub const fn has_errno(self) -> bool {
        !matches!(
            self,
            Returns::Pointer | Returns::Size | Returns::Nothing | Returns::Never
        )
    }
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
    /// The lengths in the `iovec` array of a `msghdr`.
    Message(u8),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
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

impl Function {
    /// Whether the function is interposed as a symbol. stdio's own system calls are not: stdio calls them by a
    /// table of functions, in which ours stand. Nor is a system call that programs make by its number.
    pub const fn is_symbol(self) -> bool {
        self.is_in_library() && !matches!(self.constant_row().family, Family::StdioSystem)
    }

    /// Whether a library may define the function.
    pub const fn is_in_library(self) -> bool {
        !matches!(self, Function::Futex)
    }

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
        &rows::TABLE[self.index()]
    }

    /// As [`Function::row`], where a constant is wanted.
    #[inline(always)]
    pub const fn constant_row(self) -> &'static Row {
        &rows::TABLE[self as usize]
    }

    /// The symbol.
    pub const fn name(self) -> &'static str {
        let index = self.index();
        let start = match index {
            0 => 0,
            _ => rows::ENDS[index - 1],
        };
        let (to_end, _) = rows::TEXT.split_at(rows::ENDS[index] as usize);
        let (_, name) = to_end.split_at(start as usize);
        name
    }

    /// Whether a call may wait for a descriptor, for time to pass or for a child, so that it can be reported in two parts.
    pub const fn can_wait(self) -> bool {
        use Function as F;
        matches!(self.constant_row().family, Family::Wait)
            || matches!(
                self,
                F::Read
                    | F::ReadAlias
                    | F::ReadChk
                    | F::Readv
                    | F::Recv
                    | F::RecvChk
                    | F::Recvfrom
                    | F::RecvfromChk
                    | F::Recvmsg
                    | F::Recvmmsg
                    | F::Write
                    | F::WriteAlias
                    | F::Writev
                    | F::Send
                    | F::SendAlias
                    | F::Sendto
                    | F::Sendmsg
                    | F::Sendmmsg
                    | F::Sendfile
                    | F::Sendfile64
                    | F::Splice
                    | F::Connect
                    | F::ConnectAlias
                    | F::Accept
                    | F::Accept4
                    | F::EventfdRead
                    | F::EventfdWrite
                    | F::StdioRead
                    | F::StdioWrite
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_wait_are_numbered_without_a_gap_and_timed() {
        let indices: Vec<usize> = Function::ALL
            .into_iter()
            .filter_map(Function::waiting_index)
            .collect();
        assert_eq!(indices, (0..WAITING_COUNT).collect::<Vec<_>>());
        for function in Function::ALL.into_iter().filter(|of| of.can_wait()) {
            assert_eq!(function.row().family.timing(), Timing::Always);
        }
    }

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
    fn names_are_in_order_and_found() {
        assert!(
            Function::by_name()
                .windows(2)
                .all(|pair| pair[0].name() < pair[1].name())
        );
        for function in Function::ALL {
            assert_eq!(Function::from_name(function.name()), Some(function));
        }
        assert_eq!(Function::from_name("strlen"), None);
    }

    #[test]
    fn sized_functions_are_numbered_without_a_gap() {
        let mut often: Vec<usize> = Vec::new();
        let mut seldom: Vec<usize> = Vec::new();
        for function in Function::ALL {
            match function.sized() {
                Some(Sized::Often(index)) => often.push(index),
                Some(Sized::Seldom(index)) => seldom.push(index),
                None => {}
            }
        }
        often.sort_unstable();
        assert_eq!(often, (0..OFTEN_SIZED_COUNT).collect::<Vec<_>>());
        assert_eq!(seldom, (0..SELDOM_SIZED_COUNT).collect::<Vec<_>>());
        assert_eq!(Function::Free.sized(), None);
    }
}
