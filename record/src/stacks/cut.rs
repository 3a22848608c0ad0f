//! Why a stack ends early.

/// Why a stack is not known to its outermost caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cut {
    /// Code without unwind information: made at run time, or written in assembly without it.
    UnknownCode = 0,
    /// The code's unwind information has a rule that Weir does not follow.
    UnknownRule = 1,
    /// A frame leads to memory that is no stack, or that may not be asked about in a sandbox.
    NotReadable = 2,
    /// There are more frames than Weir follows.
    TooDeep = 3,
    /// There is no room for more nodes.
    NoRoom = 4,
    /// A signal handler interrupted the recording of a stack twice over.
    Interrupted = 5,
    /// The thread has no memory for its stacks, or no slot, or shares its thread-local storage with another thread.
    NoMemory = 6,
    /// The check of every stack by a second way found another one.
    Differs = 7,
}

impl Cut {
    /// All of them.
    pub const ALL: [Cut; Cut::COUNT] = [
        Cut::UnknownCode,
        Cut::UnknownRule,
        Cut::NotReadable,
        Cut::TooDeep,
        Cut::NoRoom,
        Cut::Interrupted,
        Cut::NoMemory,
        Cut::Differs,
    ];

    /// How many there are.
    pub const COUNT: usize = 8;

    /// The reason's name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Cut::UnknownCode => "unknown_code",
            Cut::UnknownRule => "unknown_rule",
            Cut::NotReadable => "not_readable",
            Cut::TooDeep => "too_deep",
            Cut::NoRoom => "no_room",
            Cut::Interrupted => "interrupted",
            Cut::NoMemory => "no_memory",
            Cut::Differs => "differs",
        }
    }
}
