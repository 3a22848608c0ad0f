//! The table of files: an entry for every name.
//!
//! Entries are looked up and made when a descriptor is, under a lock that nobody waits for without a bound: a
//! signal handler may come while its thread holds it. Who does not get it has the descriptor told together
//! with all others that have no entry. A full table gives the entry that no descriptor leads to and
//! that was used least to the new name, and adds what it counted to the first entry: nothing is lost,
//! only told less exactly.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use weir_record::file::{FileEntry, Kind, NAME_BYTES};
use weir_record::region::{Header, MAX_FILES};

use super::links::OVERFLOW_ENTRY;
use crate::region::mapping;
use crate::{process, thread};

/// The first entry is of what has no entry of its own.
const FIRST: usize = 1;
/// So many entries are looked at for one to give away.
const CANDIDATES: usize = 64;

const BUCKETS: usize = MAX_FILES;
/// The first entry of each bucket; 0 is none.
static HEADS: [AtomicU32; BUCKETS] = [const { AtomicU32::new(0) }; BUCKETS];
/// Entries in use, from the first.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Entries that have their memory.
static MADE: AtomicUsize = AtomicUsize::new(0);
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

/// The table, held. What is in it is asked for where it is needed: what is known of a region takes room on the stack.
pub struct Table(());

/// Whether there is one.
#[inline(never)]
fn is_there() -> bool {
    process::region().is_some()
}

/// Every entry that there is room for.
#[inline(never)]
fn all() -> &'static [FileEntry] {
    process::region().map_or(&[], |region| region.all_files())
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
    let result = work(&Table(()));
    HOLDER.store(0, Ordering::Release);
    result
}

/// Makes the table of a new region; without it nothing is told of files.
pub fn begin(header: &Header, files: &'static [FileEntry]) {
    if let Some(made) = mapping::make_files(0) {
        header.use_files(FIRST);
        ENTRIES.store(files.as_ptr().cast_mut(), Ordering::Relaxed);
        MADE.store(made.min(files.len()), Ordering::Release);
    }
}

/// The entry that a link leads to.
#[inline(always)]
pub fn entry(link: u32) -> Option<&'static FileEntry> {
    let index = if link == OVERFLOW_ENTRY {
        0
    } else {
        link as usize
    };
    if index >= MADE.load(Ordering::Acquire) {
        return None;
    }
    // SAFETY: so many entries have their memory, which stays.
    Some(unsafe { &*ENTRIES.load(Ordering::Relaxed).add(index) })
}

/// In a child of fork, whose region is another.
pub fn forget() {
    if USED.swap(0, Ordering::Relaxed) != 0 {
        for head in &HEADS {
            head.store(0, Ordering::Relaxed);
        }
    }
    MADE.store(0, Ordering::Relaxed);
    HAND.store(FIRST, Ordering::Relaxed);
    HOLDER.store(0, Ordering::Relaxed);
}

impl Table {
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
        let Some(entry) = all().get(index) else {
            return OVERFLOW_ENTRY;
        };
        entry.begin(kind, hash);
        set_name(entry, name);
        let bucket = &HEADS[hash as usize % BUCKETS];
        entry
            .next
            .store(bucket.load(Ordering::Relaxed), Ordering::Relaxed);
        bucket.store(index as u32, Ordering::Relaxed);
        if let Some(header) = process::header() {
            header.use_files(index + 1);
        }
        index as u32
    }

    /// An entry that nothing has had.
    #[inline(never)]
    fn fresh(&self) -> Option<usize> {
        let index = USED.load(Ordering::Relaxed).max(FIRST);
        if index >= all().len() {
            return None;
        }
        let made = MADE.load(Ordering::Relaxed);
        if index >= made {
            let more = mapping::make_files(made)?;
            MADE.store(made + more, Ordering::Relaxed);
            if index >= made + more {
                return None;
            }
        }
        USED.store(index + 1, Ordering::Relaxed);
        Some(index)
    }

    /// An entry that no descriptor leads to, taken from its name.
    #[inline(never)]
    fn given_away(&self) -> Option<usize> {
        let used = USED.load(Ordering::Relaxed);
        let hand = HAND.load(Ordering::Relaxed);
        let files = all();
        let candidates = (0..CANDIDATES.min(used.checked_sub(FIRST)?))
            .map(|step| FIRST + (hand + step) % (used - FIRST));
        let index = candidates
            .filter(|&index| files[index].links.load(Ordering::Relaxed) == 0)
            .min_by_key(|&index| files[index].calls())?;
        HAND.store(hand.wrapping_add(CANDIDATES), Ordering::Relaxed);
        self.take_out(index);
        files[index].fold_into(files.first()?);
        if let Some(header) = process::header() {
            header.folded_files.add_shared(1);
        }
        Some(index)
    }

    /// Takes an entry out of its bucket.
    fn take_out(&self, index: usize) {
        let files = all();
        let hash = files[index].hash.load(Ordering::Relaxed);
        let mut place = &HEADS[hash as usize % BUCKETS];
        for _ in 0..MAX_FILES {
            let link = place.load(Ordering::Relaxed);
            let Some(entry) = entry(link).filter(|_| link != 0) else {
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

/// FNV-1a over the kind and the whole name. Not every call tells a directory from a file.
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
