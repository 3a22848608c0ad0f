//! The table of files: an entry for each name.
//!
//! A call that makes a descriptor looks its entry up, or makes it, under a lock. No thread waits for the lock without
//! a limit: a signal handler may have interrupted the thread that holds it. A thread without the lock counts the
//! descriptor together with all others that have no entry. If the table is full, a new name gets the least used of
//! some entries that no descriptor refers to. The counts of that entry are added to the first entry, so nothing is
//! lost, but the report is less exact.
//!
//! A signal handler can also fork while its thread holds the table, and return in the child, which has another table.
//! So code first looks up what it writes to, and then checks that the table is still the one that it took
//! ([`Table::is_current`]). What it found before that belongs to the region that was left; a write there does no
//! harm. The table gets its memory with signals blocked.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence};
use std::time::Duration;

use weir_record::file::{FileEntry, Kind, NAME_BYTES};
use weir_record::region::{Header, MAX_FILES};

use super::links::OVERFLOW_ENTRY;
use super::names;
use crate::process::{self, copied};
use crate::region::mapping;
use crate::{sys, thread};

/// The first entry with a name. Entry 0 stands for all files that have no entry of their own.
const FIRST: usize = 1;
/// How many entries are compared in the search for one to give to a new name.
const CANDIDATES: usize = 64;

const BUCKETS: usize = MAX_FILES;
/// The first entry of each bucket; 0: none.
static HEADS: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];
/// The number of this table. A child of fork begins another.
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// How many entries are in use, from the first on. The upper half holds the table's number.
static USED: AtomicU64 = AtomicU64::new(0);
/// How many entries have memory.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// The end of these entries: the same fact, for code that needs it often.
static END: AtomicPtr<FileEntry> = AtomicPtr::new(ptr::null_mut());
/// The first entry.
static ENTRIES: AtomicPtr<FileEntry> = AtomicPtr::new(ptr::null_mut());
/// The index, from [`FIRST`], at which the next search for an entry to give away begins.
static HAND: AtomicUsize = AtomicUsize::new(FIRST);
/// The thread that holds the table; 0 if none does.
static HOLDER: AtomicUsize = AtomicUsize::new(0);
/// The stack pointer of the holder, to recognise a frame that a jump has left. Above all stacks where it is not known: a signal
/// handler may come between the taking of the table and this.
static FRAME: AtomicUsize = AtomicUsize::new(NO_FRAME);
const NO_FRAME: usize = usize::MAX;
/// How many times the table was released. Only the holder changes it.
static TURNS: AtomicU32 = AtomicU32::new(0);

/// How long a thread waits while nobody releases the table. A signal handler may stop that one for longer, as garbage collectors
/// do.
const PATIENCE: Duration = Duration::from_millis(20);
/// How many times it tries in a sandbox.
const SPINS: u32 = 20_000;

/// The held table, with its number. The entries are looked up only where they are needed, because the description of
/// a region takes room on the stack.
pub struct Table(u32);

/// Whether there is a table.
#[inline(never)]
fn is_there() -> bool {
    process::region().is_some()
}

/// How many entries there is room for.
#[inline(never)]
fn room() -> usize {
    process::region().map_or(0, |region| region.all_files().len())
}

/// Holds the table and does something with it. `None` if there is no table or it cannot be held.
pub fn with<T>(work: impl FnOnce(&Table) -> T) -> Option<T> {
    hold().then(|| held(work))
}

/// Whether the calling thread holds the table further out on its stack: then this is a signal handler that interrupted the holder. To be
/// asked on the thread's own stack: from another, [`with`] could not know.
pub fn is_held_by_caller() -> bool {
    let is_left = || sys::is_left(FRAME.load(Ordering::Relaxed), thread::stack_pointer());
    HOLDER.load(Ordering::Relaxed) == thread::identity() && !is_left()
}

/// Holds the table. False if there is none, or it cannot be held. Its own function, so that the wait takes nothing of the stack
/// while the table is held.
#[inline(never)]
fn hold() -> bool {
    if !is_there() {
        return false;
    }
    let this = thread::identity();
    let take = || HOLDER.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed);
    match take() {
        Ok(_) => true,
        // This is a signal handler that interrupted the holder, or a jump has left the holder's frame.
        Err(holder) if holder == this => {
            sys::is_left(FRAME.load(Ordering::Relaxed), thread::stack_pointer())
        }
        // To wait takes system calls.
        Err(_) if sys::is_sealed() => (0..SPINS).any(|_| {
            std::hint::spin_loop();
            take().is_ok()
        }),
        Err(_) => sys::await_turn(
            PATIENCE,
            || take().is_ok(),
            || TURNS.load(Ordering::Relaxed),
        ),
    }
}

fn held<T>(work: impl FnOnce(&Table) -> T) -> T {
    FRAME.store(thread::stack_pointer(), Ordering::Relaxed);
    let result = work(&Table(NUMBER.load(Ordering::Relaxed)));
    FRAME.store(NO_FRAME, Ordering::Relaxed);
    TURNS.store(
        TURNS.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
    // In a child of fork, another thread may hold it already.
    let this = thread::identity();
    let _ = HOLDER.compare_exchange(this, 0, Ordering::Release, Ordering::Relaxed);
    result
}

/// Makes the table of a new region. Where there is no memory for its first entries, they may get it later, with a new name.
pub fn begin(header: &Header, files: &'static [FileEntry]) {
    NUMBER.fetch_add(1, Ordering::Relaxed);
    ENTRIES.store(files.as_ptr().cast_mut(), Ordering::Relaxed);
    if let Some(made) = mapping::make_files(0) {
        header.use_files(FIRST);
        set_made(made.min(files.len()));
    }
}

/// Makes the memory of some more entries, and asks for the working directory: in a sandbox, that cannot be done.
pub fn prepare_for_sandbox() {
    const NAMES: usize = 64;
    let make = |table: &Table| {
        // SAFETY: the table is held.
        let _ = unsafe { names::working_directory() };
        let enough = (table.used() + NAMES).min(room());
        while MADE.load(Ordering::Relaxed) < enough && table.grow(MADE.load(Ordering::Relaxed)) {}
    };
    sys::with_signals_blocked(|| with(make));
}

/// Stores how many entries have memory.
fn set_made(count: usize) {
    MADE.store(count, Ordering::Release);
    let end = ENTRIES.load(Ordering::Relaxed).wrapping_add(count);
    END.store(end, Ordering::Release);
}

/// The entry that a link leads to. `None` if it has no memory.
#[inline(always)]
pub fn entry(link: u32) -> Option<&'static FileEntry> {
    let index = if link == OVERFLOW_ENTRY {
        0
    } else {
        link as usize
    };
    // The order matters. A signal handler may fork between the two loads and return in the child. Then the entry
    // belongs to the region that was left, and a stand-in has memory for all its entries.
    let entry = ENTRIES.load(Ordering::Relaxed).wrapping_add(index);
    compiler_fence(Ordering::SeqCst);
    if entry >= END.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the entries below `END` have memory, which stays mapped.
    Some(unsafe { &*entry })
}

/// Forgets the table in a child of fork, which gets another region.
pub fn forget() {
    NUMBER.fetch_add(1, Ordering::Relaxed);
    if USED.swap(0, Ordering::Relaxed) as u32 != 0 {
        for head in &HEADS {
            head.store(0, Ordering::Relaxed);
        }
    }
    MADE.store(0, Ordering::Relaxed);
    END.store(ptr::null_mut(), Ordering::Relaxed);
    HAND.store(FIRST, Ordering::Relaxed);
    HOLDER.store(0, Ordering::Relaxed);
}

impl Table {
    /// Whether the table is still the one that was taken, so that earlier look-ups are valid.
    #[inline(always)]
    fn is_current(&self) -> bool {
        // A signal handler runs on this thread, so only the compiler's order matters.
        compiler_fence(Ordering::SeqCst);
        NUMBER.load(Ordering::Relaxed) == self.0
    }

    /// The entry with this index. `None` if it has no memory, or the table is another now.
    #[inline(never)]
    fn entry(&self, index: usize) -> Option<&'static FileEntry> {
        let entries = ENTRIES.load(Ordering::Relaxed);
        let is_made = index < MADE.load(Ordering::Acquire);
        // SAFETY: the table has memory for `MADE` entries. If the region was left after a fork, a stand-in is mapped
        // in its place.
        (is_made && self.is_current()).then(|| unsafe { &*entries.add(index) })
    }

    /// How many entries are in use.
    fn used(&self) -> usize {
        let used = USED.load(Ordering::Relaxed);
        if (used >> 32) as u32 == self.0 {
            used as u32 as usize
        } else {
            0
        }
    }

    /// Counts the entry at `index` as used. False if the table is another now; and in a child that no hook has seen yet, whose table is
    /// its parent's, who may fill the same entry.
    #[inline(never)]
    fn use_one(&self, index: usize) -> bool {
        let before = USED.load(Ordering::Relaxed);
        let after = u64::from(self.0) << 32 | (index as u64 + 1);
        copied::is_copy() != Some(true)
            && self.is_current()
            && USED
                .compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The link to the entry of a name. The name is the concatenation of the parts. Makes the entry if there is none.
    #[inline(never)]
    pub fn link(&self, kind: Kind, name: &[&[u8]]) -> u32 {
        self.found_or_made(kind, hash(kind, name), name)
    }

    /// The same for a known hash. It takes the place of [`Table::link`] on the stack, and [`Table::made`] takes the
    /// place of this.
    #[inline(never)]
    fn found_or_made(&self, kind: Kind, hash: u64, name: &[&[u8]]) -> u32 {
        let mut index = HEADS[hash as usize % BUCKETS].load(Ordering::Relaxed);
        // The loop is bounded: a jump out of a signal handler may have left a chain that leads nowhere.
        for _ in 0..MAX_FILES {
            if index == 0 {
                break;
            }
            let Some(entry) = entry(index) else { break };
            if entry.hash.load(Ordering::Relaxed) == hash && has_name(entry, name) {
                if kind == Kind::Directory {
                    entry.set_kind(kind);
                }
                return index;
            }
            index = entry.next.load(Ordering::Relaxed);
        }
        self.made(kind, hash, name)
    }

    /// The link to a new entry for a name.
    #[inline(never)]
    fn made(&self, kind: Kind, hash: u64, name: &[&[u8]]) -> u32 {
        match self.fresh().or_else(|| self.given_away()) {
            Some(index) => self.filled(index, kind, hash, name),
            None => OVERFLOW_ENTRY,
        }
    }

    /// Gives this name to an entry, and returns the link. A function of its own, so that its frame is not on the
    /// stack during the search for an entry.
    #[inline(never)]
    fn filled(&self, index: usize, kind: Kind, hash: u64, name: &[&[u8]]) -> u32 {
        let Some(entry) = self.entry(index) else {
            return OVERFLOW_ENTRY;
        };
        entry.begin(kind, hash);
        set_name(entry, name);
        let bucket = &HEADS[hash as usize % BUCKETS];
        entry
            .next
            .store(bucket.load(Ordering::Relaxed), Ordering::Relaxed);
        let header = process::header();
        if !self.is_current() {
            return OVERFLOW_ENTRY;
        }
        bucket.store(index as u32, Ordering::Relaxed);
        if let Some(header) = header {
            header.use_files(index + 1);
        }
        index as u32
    }

    /// An entry that was never used.
    #[inline(never)]
    fn fresh(&self) -> Option<usize> {
        let index = self.used().max(FIRST);
        if index >= room() {
            return None;
        }
        if index >= MADE.load(Ordering::Relaxed) && !sys::with_signals_blocked(|| self.grow(index))
        {
            return None;
        }
        self.use_one(index).then_some(index)
    }

    /// Makes memory for more entries, including this one. False if there is none left. Signals are blocked.
    #[inline(always)]
    fn grow(&self, index: usize) -> bool {
        if !self.is_current() {
            return false;
        }
        let made = MADE.load(Ordering::Relaxed);
        let Some(more) = mapping::make_files(made) else {
            return false;
        };
        set_made(made + more);
        index < made + more
    }

    /// An entry that no descriptor leads to, taken from its previous name.
    #[inline(never)]
    fn given_away(&self) -> Option<usize> {
        let used = self.used();
        let hand = HAND.load(Ordering::Relaxed);
        let candidates = (0..CANDIDATES.min(used.checked_sub(FIRST)?))
            .map(|step| FIRST + (hand + step) % (used - FIRST));
        let index = candidates
            .filter_map(|index| Some((index, self.entry(index)?)))
            .filter(|(_, entry)| entry.links.load(Ordering::Relaxed) == 0)
            .min_by_key(|(_, entry)| entry.calls());
        let (index, entry) = index?;
        HAND.store(hand.wrapping_add(CANDIDATES), Ordering::Relaxed);
        self.take_out(index, entry);
        entry.fold_into(self.entry(0)?);
        if let Some(header) = process::header() {
            header.folded_files.add_shared(1);
        }
        Some(index)
    }

    /// Removes an entry from its bucket.
    fn take_out(&self, index: usize, entry: &FileEntry) {
        let hash = entry.hash.load(Ordering::Relaxed);
        let mut place = &HEADS[hash as usize % BUCKETS];
        for _ in 0..MAX_FILES {
            let link = place.load(Ordering::Relaxed);
            let Some(entry) = self.entry(link as usize).filter(|_| link != 0) else {
                return;
            };
            if link as usize == index {
                place.store(entry.next.load(Ordering::Relaxed), Ordering::Relaxed);
                return;
            }
            place = &entry.next;
        }
    }
}

/// FNV-1a over the kind and the whole name. A directory has the hash of a file: not every call distinguishes them.
fn hash(kind: Kind, name: &[&[u8]]) -> u64 {
    let kind = match kind {
        Kind::Directory => Kind::File,
        other => other,
    };
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ kind as u64;
    for part in name {
        for &byte in *part {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

const CUT: &[u8] = "…".as_bytes();

/// How many bytes at the beginning of a name do not fit. An entry keeps the end of a long name, after [`CUT`].
fn left_out(name: &[&[u8]]) -> usize {
    let length = name.iter().map(|part| part.len()).sum::<usize>();
    if length <= NAME_BYTES {
        0
    } else {
        length - (NAME_BYTES - CUT.len())
    }
}

/// The parts of a name without the first `left_out` bytes.
fn rest<'n>(name: &'n [&'n [u8]], mut left_out: usize) -> impl Iterator<Item = &'n [u8]> {
    name.iter().map(move |part| {
        let here = left_out.min(part.len());
        left_out -= here;
        &part[here..]
    })
}

/// Sets the name. Of a long name, sets the end.
#[inline(never)]
fn set_name(entry: &FileEntry, name: &[&[u8]]) {
    match left_out(name) {
        0 => entry.name.set_parts(name.iter().copied()),
        out => set_end(entry, name, out),
    }
}

#[cold]
#[inline(never)]
fn set_end(entry: &FileEntry, name: &[&[u8]], left_out: usize) {
    entry
        .name
        .set_parts([CUT].into_iter().chain(rest(name, left_out)));
}

/// Whether the entry has this name. Of long names, the ends are compared.
#[inline(never)]
fn has_name(entry: &FileEntry, name: &[&[u8]]) -> bool {
    let left_out = left_out(name);
    let mut bytes = entry.name.bytes();
    if left_out > 0 {
        bytes.by_ref().take(CUT.len()).for_each(drop);
    }
    for part in rest(name, left_out) {
        for &byte in part {
            if bytes.next() != Some(byte) {
                return false;
            }
        }
    }
    bytes.next().is_none()
}
