//! The functions by name, and by number among those with sizes and those that can wait: all computed when Weir is built.

use super::{Function, Size, rows};

impl Function {
    /// Every function, in the alphabetical order of their names.
    pub fn by_name() -> &'static [Function] {
        &BY_NAME
    }

    /// The function of a name.
    pub fn from_name(name: &str) -> Option<Function> {
        let mut place = hash(name.as_bytes());
        loop {
            let function = BY_HASH[place % PLACES]?;
            if function.name() == name {
                return Some(function);
            }
            place += 1;
        }
    }

    /// Where the calls of a function that has a size are counted by it.
    pub const fn sized(self) -> Option<Sized> {
        match SIZED_INDEX[self.index()] {
            UNSIZED => None,
            index if (index as usize) < OFTEN_SIZED_COUNT => Some(Sized::Often(index as usize)),
            index => Some(Sized::Seldom(index as usize - OFTEN_SIZED_COUNT)),
        }
    }

    /// Where the function stands among those that can wait.
    pub const fn waiting_index(self) -> Option<usize> {
        match WAITING_INDEX[self.index()] {
            NONE => None,
            index => Some(index as usize),
        }
    }
}

/// Where a function's calls are counted by size: its place among the functions of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sized {
    /// In the counters of each thread.
    Often(usize),
    /// In one table of the process, which has memory once such a function is called: most programs call none of them.
    Seldom(usize),
}

/// The functions whose calls each thread counts by size: those that programs call often.
const OFTEN_SIZED: [Function; OFTEN_SIZED_COUNT] = [
    Function::Malloc,
    Function::Calloc,
    Function::Realloc,
    Function::PosixMemalign,
    Function::AlignedAlloc,
    Function::Read,
    Function::Pread64,
    Function::Readv,
    Function::Write,
    Function::Pwrite64,
    Function::Writev,
    Function::Recv,
    Function::Recvmsg,
    Function::Send,
    Function::Sendmsg,
    Function::Fread,
    Function::Fwrite,
    Function::StdioRead,
    Function::StdioWrite,
];
/// How many functions each thread counts by size.
pub const OFTEN_SIZED_COUNT: usize = 19;
/// How many functions are counted by size in the table of the process.
pub const SELDOM_SIZED_COUNT: usize = SIZED_COUNT - OFTEN_SIZED_COUNT;

const NONE: u16 = u16::MAX;
const UNSIZED: u16 = NONE;

const WAITING_INDEX: [u16; Function::COUNT] = {
    let mut indices = [NONE; Function::COUNT];
    let mut next = 0;
    let mut function = 0;
    while function < Function::COUNT {
        if Function::ALL[function].can_wait() {
            indices[function] = next;
            next += 1;
        }
        function += 1;
    }
    indices
};

/// How many functions can wait.
pub const WAITING_COUNT: usize = {
    let mut count = 0;
    let mut function = 0;
    while function < Function::COUNT {
        if WAITING_INDEX[function] != NONE {
            count += 1;
        }
        function += 1;
    }
    count
};
/// Sorted when Weir is built, not whenever a report is made.
static BY_NAME: [Function; Function::COUNT] = {
    let mut sorted = Function::ALL;
    let mut next = 1;
    while next < sorted.len() {
        let mut place = next;
        while place > 0 && is_before(sorted[place], sorted[place - 1]) {
            let other = sorted[place];
            sorted[place] = sorted[place - 1];
            sorted[place - 1] = other;
            place -= 1;
        }
        next += 1;
    }
    sorted
};

/// The functions at the hashes of their names, or at the next free place after that. A report has all of its names looked
/// up several times.
static BY_HASH: [Option<Function>; PLACES] = {
    let mut places = [None; PLACES];
    let mut next = 0;
    while next < Function::COUNT {
        let mut place = hash(rows::NAMES[next].as_bytes());
        while places[place % PLACES].is_some() {
            place += 1;
        }
        places[place % PLACES] = Some(Function::ALL[next]);
        next += 1;
    }
    places
};
const PLACES: usize = (2 * Function::COUNT).next_power_of_two();

/// FNV-1a (Fowler, Noll, Vo), 32 bits.
const fn hash(name: &[u8]) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash as usize
}

const fn is_before(one: Function, other: Function) -> bool {
    let one = rows::NAMES[one.index()].as_bytes();
    let other = rows::NAMES[other.index()].as_bytes();
    let mut at = 0;
    while at < one.len() && at < other.len() {
        if one[at] != other[at] {
            return one[at] < other[at];
        }
        at += 1;
    }
    one.len() < other.len()
}

const SIZED_INDEX: [u16; Function::COUNT] = {
    let mut indices = [UNSIZED; Function::COUNT];
    let mut next = 0;
    while next < OFTEN_SIZED_COUNT {
        indices[OFTEN_SIZED[next].index()] = next as u16;
        next += 1;
    }
    let mut function = 0;
    while function < Function::COUNT {
        let is_sized = !matches!(rows::TABLE[function].size, Size::None);
        assert!(is_sized || indices[function] == UNSIZED);
        if is_sized && indices[function] == UNSIZED {
            indices[function] = next as u16;
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
