//! The table of files: an entry for every name.
//!
//! Entries are looked up and made when a descriptor is made, under a lock. No thread waits for it without a bound: a
//! signal handler may interrupt a thread that holds it. Without the lock, the descriptor is counted together
//! with all others that have no entry. If the table is full, a new name gets the least used entry that no descriptor
//! refers to, and the counts of that entry are added to the first entry: nothing is lost,
//! but it is reported less exactly.
//!
//! A signal handler can also fork while its thread holds the table, and return in the child, which has another table. So
//! code first looks up what it writes to, and then asks whether the table is still the one that it took
//! ([`Table::is_current`]). What it found before is the region's that was left, and harms nothing. The table gets its
//! memory with signals blocked.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence};

use weir_record::file::{FileEntry, Kind, NAME_BYTES};
use weir_record::region::{Header, MAX_FILES};

use super::links::OVERFLOW_ENTRY;
use crate::region::mapping;
use crate::{process, sys, thread};

/// The first entry is of what has no entry of its own.
const FIRST: usize = 1;
/// So many entries are looked at for one to give away.
const CANDIDATES: usize = 64;

const BUCKETS: usize = MAX_FILES;
/// The first entry of each bucket; 0 is none.
static HEADS: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];
/// Which table this is: a child of fork begins another.
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// Entries in use, from the first, with the table's number in the upper half.
static USED: AtomicU64 = AtomicU64::new(0);
/// Entries that have their memory.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Where these end: the same, for who asks often.
static END: AtomicPtr<FileEntry> = AtomicPtr::new(ptr::null_mut());
/// The first entry.
static ENTRIES: AtomicPtr<FileEntry> = AtomicPtr::new(ptr::null_mut());
/// Where the next search for an entry to give away begins.
static HAND: AtomicUsize = AtomicUsize::new(FIRST);
/// The thread that is at the table; 0 where none is.
static HOLDER: AtomicUsize = AtomicUsize::new(0);
/// Where its frame is, to know one that a jump left behind.
static FRAME: AtomicUsize = AtomicUsize::new(0);

/// So many times a thread looks whether another is done with the table.
const PATIENCE: u32 = 20_000;

/// The table of this number, held. What is in it is asked for where it is needed: what is known of a region takes room on the
/// stack.
pub struct Table(u32);

/// Whether there is one.
#[inline(never)]
fn is_there() -> bool {
    process::region().is_some()
}

/// How many entries there is room for.
#[inline(never)]
fn room() -> usize {
    process::region().map_or(0, |region| region.all_files().len())
}

/// Does something with the table, if it can be had.
pub fn with<T>(work: impl FnOnce(&Table) -> T) -> Option<T> {
    if !is_there() {
        return None;
    }
    let this = thread::identity();
    for _ in 0..PATIENCE {
        match HOLDER.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Some(held(work)),
            // We are in a signal handler, or it jumped away.
            Err(holder) if holder == this => {
                let is_left = thread::stack_pointer() >= FRAME.load(Ordering::Relaxed);
                return is_left.then(|| held(work));
            }
            Err(_) => std::hint::spin_loop(),
        }
    }
    None
}

fn held<T>(work: impl FnOnce(&Table) -> T) -> T {
    FRAME.store(thread::stack_pointer(), Ordering::Relaxed);
    let result = work(&Table(NUMBER.load(Ordering::Relaxed)));
    // In a child of fork it may be held by another thread already.
    let this = thread::identity();
    let _ = HOLDER.compare_exchange(this, 0, Ordering::Release, Ordering::Relaxed);
    result
}

/// Makes the table of a new region; without it, the report has no files.
pub fn begin(header: &Header, files: &'static [FileEntry]) {
    if let Some(made) = mapping::make_files(0) {
        header.use_files(FIRST);
        NUMBER.fetch_add(1, Ordering::Relaxed);
        ENTRIES.store(files.as_ptr().cast_mut(), Ordering::Relaxed);
        set_made(made.min(files.len()));
    }
}

/// So many entries have their memory.
fn set_made(count: usize) {
    MADE.store(count, Ordering::Release);
    let end = ENTRIES.load(Ordering::Relaxed).wrapping_add(count);
    END.store(end, Ordering::Release);
}

/// The entry that a link leads to.
#[inline(always)]
pub fn entry(link: u32) -> Option<&'static FileEntry> {
    let index = if link == OVERFLOW_ENTRY {
        0
    } else {
        link as usize
    };
    // In this order: where a signal handler forks in between, and returns in the child, the entry is one that was left, and a
    // stand-in has memory for all of them.
    let entry = ENTRIES.load(Ordering::Relaxed).wrapping_add(index);
    compiler_fence(Ordering::SeqCst);
    if entry >= END.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: the entries up to there have their memory, which stays.
    Some(unsafe { &*entry })
}

/// In a child of fork, whose region is another.
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
    /// Whether the table is still the one that was taken, for what was looked up before.
    #[inline(always)]
    fn is_current(&self) -> bool {
        // A signal handler is on this thread: no other order than the compiler's has to be kept.
        compiler_fence(Ordering::SeqCst);
        NUMBER.load(Ordering::Relaxed) == self.0
    }

    /// The entry of this number, whose memory is there.
    #[inline(never)]
    fn entry(&self, index: usize) -> Option<&'static FileEntry> {
        let entries = ENTRIES.load(Ordering::Relaxed);
        let is_made = index < MADE.load(Ordering::Acquire);
        // SAFETY: so many entries have their memory there. Once it is another's, a stand-in is in its place.
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

    /// One more entry is in use. False where that is another table's.
    fn use_one(&self, index: usize) -> bool {
        let before = USED.load(Ordering::Relaxed);
        let after = u64::from(self.0) << 32 | (index as u64 + 1);
        self.is_current()
            && USED
                .compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The link to the entry of a name, which is the parts one after the other; it is made where there is none.
    #[inline(never)]
    pub fn link(&self, kind: Kind, name: &[&[u8]]) -> u32 {
        self.found_or_made(kind, hash(kind, name), name)
    }

    /// The same with its hash, in the place of [`Table::link`] on the stack; and what makes an entry takes the place of this.
    #[inline(never)]
    fn found_or_made(&self, kind: Kind, hash: u64, name: &[&[u8]]) -> u32 {
        let mut index = HEADS[hash as usize % BUCKETS].load(Ordering::Relaxed);
        // Bounded: a jump out of a signal handler may have left a chain that leads nowhere.
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

    /// The link to the entry that a name is given.
    #[inline(never)]
    fn made(&self, kind: Kind, hash: u64, name: &[&[u8]]) -> u32 {
        match self.fresh().or_else(|| self.given_away()) {
            Some(index) => self.filled(index, kind, hash, name),
            None => OVERFLOW_ENTRY,
        }
    }

    /// The link to an entry, which gets this name. By itself: what it takes of the stack is not there while an entry is looked for.
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

    /// An entry that nothing has had.
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

    /// Makes memory for more entries, this one among them. False where there is none left. Signals are blocked.
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

    /// An entry that no descriptor leads to, taken from its name.
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

    /// Takes an entry out of its bucket.
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

/// FNV-1a over the kind and the whole name. Not every call distinguishes a directory from a file.
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

/// How many bytes of a name there is no room for, from its beginning; of a long one the end is kept, after [`CUT`].
fn left_out(name: &[&[u8]]) -> usize {
    let length = name.iter().map(|part| part.len()).sum::<usize>();
    if length <= NAME_BYTES {
        0
    } else {
        length - (NAME_BYTES - CUT.len())
    }
}

/// The parts of a name without so many bytes from its beginning.
fn rest<'n>(name: &'n [&'n [u8]], mut left_out: usize) -> impl Iterator<Item = &'n [u8]> {
    name.iter().map(move |part| {
        let here = left_out.min(part.len());
        left_out -= here;
        &part[here..]
    })
}

/// Sets the name; of a long one, the end.
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

/// Whether the entry has this name; of a long one, whether the ends are the same.
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
