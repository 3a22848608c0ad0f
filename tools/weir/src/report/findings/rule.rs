//! The rules.

/// What can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Blocks are made all through the run and never freed.
    Leak,
    /// Blocks are made and freed at once, again and again.
    Temporaries,
    /// A file is written a few bytes at a time.
    TinyWrites,
    /// A file is read a few bytes at a time.
    TinyReads,
    /// Each small write is brought to storage by itself.
    Sync,
    /// A file is read out of order.
    RandomReads,
    /// One file is opened again and again.
    Reopened,
    /// The program waits for one server.
    Peer,
    /// Threads wait for locks.
    Lock,
    /// A call had not returned when the process ended.
    Stuck,
    /// Files are looked for that are not there.
    FailedLookups,
    /// Descriptors are made and not closed.
    Descriptors,
}

impl Rule {
    /// What it finds, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Rule::Leak => "memory grows",
            Rule::Temporaries => "temporary blocks",
            Rule::TinyWrites => "tiny writes",
            Rule::TinyReads => "tiny reads",
            Rule::Sync => "sync in a loop",
            Rule::RandomReads => "random reads",
            Rule::Reopened => "opened again and again",
            Rule::Peer => "waits for one peer",
            Rule::Lock => "waits for locks",
            Rule::Stuck => "a call did not return",
            Rule::FailedLookups => "files that are not there",
            Rule::Descriptors => "descriptors stay open",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Rule::Leak => "free what is no longer used, or bound what keeps it",
            Rule::Temporaries => "use one block again, or reserve the whole size at once",
            Rule::TinyWrites => "collect the bytes in a buffer and write that",
            Rule::TinyReads => "read through a buffer of some KiB",
            Rule::Sync => "write many records, then sync once for all of them",
            Rule::RandomReads => "sort the requests by offset, or read larger pieces",
            Rule::Reopened => "keep it open, or keep what was read",
            Rule::Peer => "ask for several things at once, and hold no lock meanwhile",
            Rule::Lock => "hold it for less, do no I/O under it, or split it",
            Rule::Stuck => "look at what it waits for, or set a timeout",
            Rule::FailedLookups => "shorten the search path, or remember what is not there",
            Rule::Descriptors => "close them, also where an error is returned",
        }
    }
}
