//! What is recorded of one file or socket: an entry of the region's table of files.
//!
//! An entry has two sets of counters. The first thread that moves bytes owns one of them, and adds to it as it
//! adds to its slot, without a locked instruction; all others share the other set, by locked additions.
//! Most files are used by one thread. For others, the locked additions cost tens of nanoseconds for each system call.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::counter::{Adder, Alone, Counter, Shared};
use crate::functions::{Function, Role};
use crate::spread::Spread;
use crate::text::Text;

/// Classes of the bytes that a call moved; each class is eight times as wide as the one before.
pub const SIZE_CLASSES: usize = 10;

/// The smallest size of a class.
pub const fn class_from_bytes(class: usize) -> u64 {
    if class == 0 { 0 } else { 1 << (3 * class) }
}

fn class_of(bytes: u64) -> usize {
    (((63 - (bytes | 1).leading_zeros()) / 3) as usize).min(SIZE_CLASSES - 1)
}

macro_rules! kinds {
    ($($variant:ident = $number:literal $name:literal $doc:literal;)+) => {
        /// What a descriptor leads to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Kind { $(#[doc = $doc] $variant = $number,)+ }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// The kind's name in the report.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    Other = 0 "other" "None of the others, or not known.";
    File = 1 "file" "A file, as far as is known.";
    Directory = 2 "directory" "A directory.";
    Device = 3 "device" "A device.";
    Terminal = 4 "terminal" "A terminal.";
    Pipe = 5 "pipe" "A pipe.";
    Tcp = 6 "tcp" "A TCP socket.";
    Udp = 7 "udp" "A UDP socket.";
    Unix = 8 "unix" "A Unix domain socket.";
    SocketPair = 9 "socketpair" "One of a pair of sockets.";
    Socket = 10 "socket" "A socket of another kind.";
    Epoll = 11 "epoll" "A set of descriptors to wait for.";
    Event = 12 "eventfd" "An eventfd.";
    Timer = 13 "timerfd" "A timer.";
    Signal = 14 "signalfd" "A signalfd.";
    Memory = 15 "memfd" "A file in memory only.";
}

impl Kind {
    /// The kind of this number; what is none is [`Kind::Other`].
    #[inline(always)]
    pub fn from_bits(bits: u32) -> Kind {
        // The numbers count from 0, as a test sees to.
        Kind::ALL.get(bits as usize).copied().unwrap_or(Kind::Other)
    }

    /// Whether calls have a place in it.
    pub const fn has_offsets(self) -> bool {
        matches!(self, Kind::File | Kind::Device | Kind::Memory)
    }

    /// The same of the kind of this number, without a look at the list.
    #[inline(always)]
    fn has_offsets_from_bits(bits: u32) -> bool {
        const WITH_OFFSETS: u32 =
            1 << Kind::File as u32 | 1 << Kind::Device as u32 | 1 << Kind::Memory as u32;
        bits < u32::BITS && WITH_OFFSETS >> bits & 1 != 0
    }
}

/// What a call did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It read.
    Read,
    /// It wrote.
    Write,
    /// It moved the offset to what is in [`Access::at`].
    Seek,
    /// Anything else.
    Other,
}

impl Deed {
    /// What a function of this role does.
    #[inline(always)]
    pub const fn of(role: Role) -> Deed {
        match role {
            Role::Read | Role::Move => Deed::Read,
            Role::Write => Deed::Write,
            Role::Seek => Deed::Seek,
            _ => Deed::Other,
        }
    }
}

/// A call, as far as the file is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The function.
    pub function: Function,
    /// What it did.
    pub deed: Deed,
    /// Where; none where it is the file's own offset.
    pub at: Option<u64>,
    /// Bytes that it moved.
    pub bytes: u64,
    /// Whether it failed.
    pub failed: bool,
    /// When it began; 0 where it was not timed.
    pub began_ticks: u64,
    /// How long it took; 0 where it was not timed.
    pub took_ticks: u64,
}

impl Access {
    /// For what is called in rare cases only: it is put together in those. One that is referred to is written to memory before
    /// it is known whether that is needed, in every call.
    #[inline(always)]
    pub fn later(self) -> impl Fn() -> Access {
        move || Access {
            function: self.function,
            deed: self.deed,
            at: self.at,
            bytes: self.bytes,
            failed: self.failed,
            began_ticks: self.began_ticks,
            took_ticks: self.took_ticks,
        }
    }
}

/// One set of counters.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct FileCounters {
    /// Descriptors made for it.
    pub opens: Counter,
    /// Calls that read.
    pub reads: Counter,
    /// Calls that wrote.
    pub writes: Counter,
    /// All other calls.
    pub other_calls: Counter,
    /// Calls of all kinds that failed.
    pub errors: Counter,
    /// Bytes read.
    pub read_bytes: Counter,
    /// Bytes written.
    pub written_bytes: Counter,
    /// Time of the reads.
    pub read_ticks: Counter,
    /// Time of the writes.
    pub write_ticks: Counter,
    /// Time of all other calls.
    pub other_ticks: Counter,
    /// Reads and writes that began where the one before them ended.
    pub sequential: Counter,
    /// Reads and writes that began elsewhere.
    pub random: Counter,
    /// Reads after a write, and writes after a read.
    pub switches: Counter,
    /// Reads and writes by the bytes that they moved.
    pub sizes: [Counter; SIZE_CLASSES],
    /// The slowest call: how long it took.
    pub slowest_ticks: Counter,
    /// When it began.
    pub slowest_began: Counter,
    /// The bytes that it moved.
    pub slowest_bytes: Counter,
    /// Its function's place in the table.
    pub slowest_function: Counter,
    /// Where the next call without an offset of its own will be.
    cursor: Counter,
    /// Where the latest read or write ended.
    ended_at: Counter,
    /// The latest read or write: 0 none, 1 a read, 2 a write.
    latest: Counter,
}

impl FileCounters {
    /// Does something with each counter that is added up, and with the same one of another set. (To list them would take
    /// hundreds of bytes of a stack, which may be a signal handler's.)
    fn each_sum(&self, other: &FileCounters, work: impl Fn(&Counter, &Counter)) {
        work(&self.opens, &other.opens);
        work(&self.reads, &other.reads);
        work(&self.writes, &other.writes);
        work(&self.other_calls, &other.other_calls);
        work(&self.errors, &other.errors);
        work(&self.read_bytes, &other.read_bytes);
        work(&self.written_bytes, &other.written_bytes);
        work(&self.read_ticks, &other.read_ticks);
        work(&self.write_ticks, &other.write_ticks);
        work(&self.other_ticks, &other.other_ticks);
        work(&self.sequential, &other.sequential);
        work(&self.random, &other.random);
        work(&self.switches, &other.switches);
        for (size, same) in self.sizes.iter().zip(&other.sizes) {
            work(size, same);
        }
    }

    #[inline(always)]
    fn count<A: Adder>(&self, has_offsets: bool, access: &Access) {
        let (calls, ticks) = match access.deed {
            Deed::Read => (&self.reads, &self.read_ticks),
            Deed::Write => (&self.writes, &self.write_ticks),
            Deed::Seek | Deed::Other => (&self.other_calls, &self.other_ticks),
        };
        A::add(calls, 1);
        A::add(ticks, access.took_ticks);
        if access.took_ticks > self.slowest_ticks.get() {
            self.keep(
                access.function,
                access.bytes,
                access.began_ticks,
                access.took_ticks,
            );
        }
        if access.failed {
            return A::add(&self.errors, 1);
        }
        let number = match access.deed {
            Deed::Read => {
                A::add(&self.read_bytes, access.bytes);
                1
            }
            Deed::Write => {
                A::add(&self.written_bytes, access.bytes);
                2
            }
            Deed::Seek => return self.cursor.set(access.at.unwrap_or(0)),
            Deed::Other => return,
        };
        A::add(&self.sizes[class_of(access.bytes)], 1);
        if self.latest.get() != number {
            if self.latest.get() != 0 {
                A::add(&self.switches, 1);
            }
            self.latest.set(number);
        }
        if has_offsets {
            let at = access.at.unwrap_or_else(|| self.cursor.get());
            if at == self.ended_at.get() {
                A::add(&self.sequential, 1);
            } else {
                A::add(&self.random, 1);
            }
            let end = at.wrapping_add(access.bytes);
            self.ended_at.set(end);
            if access.at.is_none() {
                self.cursor.add(access.bytes);
            }
        }
    }

    /// Keeps a call as the slowest. The arguments are in registers: for a reference to an [`Access`], every call would have to
    /// write it to memory.
    #[cold]
    #[inline(never)]
    fn keep(&self, function: Function, bytes: u64, began_ticks: u64, took_ticks: u64) {
        self.slowest_ticks.set(took_ticks);
        self.slowest_began.set(began_ticks);
        self.slowest_bytes.set(bytes);
        self.slowest_function.set(function.index() as u64);
    }

    fn forget(&self) {
        self.each_sum(self, |counter, _| counter.set(0));
        self.slowest_ticks.set(0);
        self.slowest_began.set(0);
        self.slowest_bytes.set(0);
        self.slowest_function.set(0);
        self.cursor.set(0);
        self.ended_at.set(0);
        self.latest.set(0);
    }
}

/// A file or socket, by name.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct FileEntry {
    /// The address of the slot of the thread that owns `own`; 0 where none does.
    owner: AtomicU64,
    /// What the name hashes to.
    pub hash: AtomicU64,
    kind: AtomicU32,
    /// Descriptors that lead here.
    pub links: AtomicU32,
    /// The next entry of the same hash bucket; for the recording side.
    pub next: AtomicU32,
    /// How many names it has had.
    names: AtomicU32,
    own: FileCounters,
    shared: FileCounters,
    /// The name; of a long one, the end.
    pub name: Text<NAME_BYTES>,
    /// Of calls that were made in two parts, the waits.
    pub waits: Spread,
    /// Of calls that were made in two parts, what came after the wait.
    pub transfers: Spread,
    /// Bytes of it that were mapped into memory; how many of them were read there is not known.
    pub mapped_bytes: Counter,
    /// So that two entries are a page.
    _room: [Counter; 63],
}

/// How much of a name there is room for.
pub const NAME_BYTES: usize = 440;
const _: () = assert!(size_of::<FileEntry>() == 2048);

impl FileEntry {
    /// Makes it that of a file of this kind, without a past.
    // By itself: the caller's stack may be small.
    #[inline(never)]
    pub fn begin(&self, kind: Kind, hash: u64) {
        self.owner.store(0, Ordering::Relaxed);
        self.own.forget();
        self.shared.forget();
        self.mapped_bytes.set(0);
        self.waits.forget();
        self.transfers.forget();
        self.kind.store(kind as u32, Ordering::Relaxed);
        self.hash.store(hash, Ordering::Relaxed);
        let names = self.names.load(Ordering::Relaxed);
        self.names.store(names.saturating_add(1), Ordering::Relaxed);
    }

    /// Whether it has had one name only: what refers to it means that file.
    #[inline(always)]
    pub fn has_its_first_name(&self) -> bool {
        self.names.load(Ordering::Relaxed) == 1
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        Kind::from_bits(self.kind.load(Ordering::Relaxed))
    }

    /// More is known of what it is.
    pub fn set_kind(&self, kind: Kind) {
        self.kind.store(kind as u32, Ordering::Relaxed);
    }

    /// Counts a descriptor made for it.
    pub fn count_open(&self) {
        self.shared.opens.add_shared(1);
    }

    /// Counts a call, if it is by the thread that owns a set; else counts nothing, and returns false. `slot` is the address of the
    /// calling thread's slot.
    #[inline(always)]
    pub fn count_by_owner(&self, slot: u64, access: &Access) -> bool {
        let is_by_owner = slot != 0 && self.owner.load(Ordering::Relaxed) == slot;
        if is_by_owner {
            self.own.count::<Alone>(self.has_offsets(), access);
        }
        is_by_owner
    }

    /// Counts a call. `slot` is the address of the calling thread's slot, 0 where it has none.
    #[inline(never)]
    pub fn count(&self, slot: u64, access: &Access) {
        if !self.count_by_owner(slot, access) {
            self.count_by_other(slot, access);
        }
    }

    #[cold]
    #[inline(never)]
    fn count_by_other(&self, slot: u64, access: &Access) {
        if self.take(slot) {
            self.own.count::<Alone>(self.has_offsets(), access);
        } else {
            self.count_shared(access);
        }
    }

    #[cold]
    #[inline(never)]
    fn count_shared(&self, access: &Access) {
        self.shared.count::<Shared>(self.has_offsets(), access);
    }

    #[inline(always)]
    fn has_offsets(&self) -> bool {
        Kind::has_offsets_from_bits(self.kind.load(Ordering::Relaxed))
    }

    /// Makes the thread with this slot the owner of a set, if nobody is.
    fn take(&self, slot: u64) -> bool {
        let owner = &self.owner;
        let take = || owner.compare_exchange(0, slot, Ordering::Relaxed, Ordering::Relaxed);
        slot != 0 && owner.load(Ordering::Relaxed) == 0 && take().is_ok()
    }

    /// Both sets of counters.
    pub fn sets(&self) -> [&FileCounters; 2] {
        [&self.own, &self.shared]
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        let calls = |set: &FileCounters| {
            [&set.reads, &set.writes, &set.other_calls]
                .iter()
                .fold(0, |sum: u64, counter| sum.wrapping_add(counter.get()))
        };
        calls(&self.own).wrapping_add(calls(&self.shared))
    }

    /// Adds what it counted to another entry, which several threads may be adding to.
    pub fn fold_into(&self, other: &FileEntry) {
        for set in self.sets() {
            set.each_sum(&other.shared, |from, to| _ = to.add_shared(from.get()));
        }
        other.mapped_bytes.add_shared(self.mapped_bytes.get());
        self.waits.fold_into(&other.waits);
        self.transfers.fold_into(&other.transfers);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> Box<FileEntry> {
        // SAFETY: an entry is made of atomics, for which zeroes are valid.
        let entry = unsafe { Box::<FileEntry>::new_zeroed().assume_init() };
        entry.begin(kind, 1);
        entry
    }

    fn access(deed: Deed, at: Option<u64>, bytes: u64) -> Access {
        Access {
            function: Function::Read,
            deed,
            at,
            bytes,
            failed: false,
            began_ticks: 5,
            took_ticks: bytes,
        }
    }

    #[test]
    fn tells_sequential_from_random_and_reads_from_writes() {
        let entry = entry(Kind::File);
        for access in [
            access(Deed::Read, None, 10),
            access(Deed::Read, None, 10),
            access(Deed::Read, Some(20), 5),
            access(Deed::Read, Some(500), 7),
            access(Deed::Seek, Some(507), 0),
            access(Deed::Write, None, 64),
            access(Deed::Read, None, 0),
        ] {
            entry.count(99, &access);
        }
        let [own, shared] = entry.sets();
        assert_eq!((own.sequential.get(), own.random.get()), (5, 1));
        assert_eq!(own.switches.get(), 2);
        assert_eq!((own.read_bytes.get(), own.written_bytes.get()), (32, 64));
        assert_eq!(own.slowest_ticks.get(), 64);
        assert_eq!(own.sizes[2].get(), 1);
        assert_eq!(shared.reads.get(), 0);
    }

    #[test]
    fn a_second_thread_uses_the_shared_set() {
        let entry = entry(Kind::Pipe);
        entry.count(1, &access(Deed::Read, None, 1));
        entry.count(2, &access(Deed::Read, None, 2));
        entry.count(0, &access(Deed::Write, None, 4));
        let [own, shared] = entry.sets();
        assert_eq!((own.read_bytes.get(), shared.read_bytes.get()), (1, 2));
        assert_eq!((own.random.get(), shared.random.get()), (0, 0));
        let sum = super::tests::entry(Kind::Other);
        entry.fold_into(&sum);
        assert_eq!(sum.calls(), 3);
        assert_eq!(sum.sets()[1].written_bytes.get(), 4);
    }

    #[test]
    fn kinds_are_numbered_in_order() {
        for (number, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(Kind::from_bits(number as u32), kind);
        }
        assert_eq!(Kind::from_bits(77), Kind::Other);
        for bits in [0, 1, 3, 10, 15, 16, 31, 32, 33, 77, u32::MAX] {
            let has_offsets = Kind::from_bits(bits).has_offsets();
            assert_eq!(Kind::has_offsets_from_bits(bits), has_offsets, "{bits}");
        }
    }

    #[test]
    fn classes_are_eight_times_as_wide() {
        for (bytes, class) in [(0, 0), (7, 0), (8, 1), (4096, 4), (u64::MAX, 9)] {
            assert_eq!(class_of(bytes), class, "{bytes}");
            assert!(class_from_bytes(class) <= bytes);
        }
    }
}
