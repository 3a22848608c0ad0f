//! Which thread has which slot.
//!
//! Slots are handed out by an atomic operation on the slot itself, because forked children that could make no
//! region of their own share this one ([`process`]). What is kept here is what this process knows: which
//! slots have their memory in its address space. Another's may be there, and must not be touched.

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_record::region::Region;
use weir_record::slot::{Slot, Tenancy};

use crate::process;
use crate::region::mapping;
use crate::sys;
use crate::thread;

/// The first slot that has not been asked for in this process.
static FRESH: AtomicUsize = AtomicUsize::new(0);
/// How many slots, from the first, have their memory in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Where the search for a slot that was left begins.
static ENDED_HINT: AtomicUsize = AtomicUsize::new(0);
/// The thread that makes a fresh slot, 0 for none: slots get their memory in order.
static MAKING: AtomicUsize = AtomicUsize::new(0);

/// How many threads of this process have a slot.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// So many times a thread yields to one that makes a slot, before it continues without a slot.
const PATIENCE: u32 = 10_000;
/// A process with more threads than this has slots that were left taken over, before fresh ones.
const FRESH_PREFERRED: usize = 32;
/// How many slots a process that shares a region looks at for one that was left.
const MOST_TRIED: usize = 64;

/// A new region: no slot of it has its memory.
pub fn begin() {
    FRESH.store(0, Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    ENDED_HINT.store(0, Ordering::Relaxed);
}

/// In a child of fork: a thread that made a slot is not here.
pub fn forked() {
    MAKING.store(0, Ordering::Relaxed);
    TAKEN.store(0, Ordering::Relaxed);
    FRESH.store(MADE.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The slots that may be looked at in this process.
pub fn visible(region: &Region<'static>) -> &'static [Slot] {
    let made = MADE.load(Ordering::Relaxed);
    &region.all_slots()[..made.min(region.all_slots().len())]
}

/// A slot for the calling thread; none where there is none left. For a thread that is being attached.
pub fn claim() -> Option<&'static Slot> {
    if sys::is_sealed() {
        return None;
    }
    let region = process::mapped_region()?;
    let thread = Thread::this();
    let used = region.header.slots_used();
    if used > MADE.load(Ordering::Relaxed) {
        while_making(|| {
            reveal(used.min(region.all_slots().len()));
            Some(())
        });
    }
    let slot = if used < FRESH_PREFERRED {
        fresh(&region, &thread).or_else(|| ended(visible(&region), &thread))
    } else {
        ended(visible(&region), &thread).or_else(|| fresh(&region, &thread))
    }?;
    // Whoever has no time-stamp counter does not hand it on.
    let one_in = match sys::counter::is_taken() {
        false => region.header.timed_one_in.load(Ordering::Relaxed),
        true => 0,
    };
    slot.in_flight.end();
    slot.countdown
        .start(one_in, sys::ticks() ^ u64::from(thread.tid) << 40);
    TAKEN.fetch_add(1, Ordering::SeqCst);
    Some(slot)
}

/// The calling thread, as its slot tells of it.
struct Thread {
    tid: u32,
    name: [u64; 2],
}

impl Thread {
    fn this() -> Thread {
        Thread {
            tid: sys::tid(),
            name: sys::thread_name(),
        }
    }

    fn take(&self, slot: &Slot, from: Tenancy) -> bool {
        slot.owner.take(from, self.tid, self.name, sys::ticks())
    }
}

/// A slot whose thread ended.
fn ended(used: &'static [Slot], thread: &Thread) -> Option<&'static Slot> {
    // Every process that shares the region begins anew, and threads of killed ones keep their slots: it looks at some
    // of them only, and not all look at the same.
    let (from, most) = if process::is_sharer() {
        (thread.tid as usize % used.len().max(1), MOST_TRIED)
    } else {
        (
            ENDED_HINT.load(Ordering::Relaxed).min(used.len()),
            used.len(),
        )
    };
    let (behind, ahead) = used.split_at(from);
    let place = ahead
        .iter()
        .chain(behind)
        .take(most)
        .position(|slot| thread.take(slot, Tenancy::Ended))?;
    let index = (from + place) % used.len();
    ENDED_HINT.store(index + 1, Ordering::Relaxed);
    used.get(index)
}

/// A slot that nobody has had.
fn fresh(region: &Region<'static>, thread: &Thread) -> Option<&'static Slot> {
    let slots = region.all_slots();
    if FRESH.load(Ordering::Relaxed) >= slots.len() {
        return None;
    }
    while_making(|| {
        loop {
            let index = FRESH.load(Ordering::Relaxed);
            let Some(slot) = slots.get(index).filter(|_| mapping::make_slot(index)) else {
                // There is no memory, and asking again for every thread would not make any.
                FRESH.store(slots.len(), Ordering::Relaxed);
                return None;
            };
            MADE.store(index + 1, Ordering::Relaxed);
            FRESH.store(index + 1, Ordering::Relaxed);
            // Another process that shares the region may have been faster.
            if thread.take(slot, Tenancy::Free) {
                region.header.use_slots(index + 1);
                return Some(slot);
            }
        }
    })
}

/// Opens up the slots that other processes have made, up to this one.
fn reveal(used: usize) {
    let made = MADE.load(Ordering::Relaxed);
    if used > made && mapping::open_slots(made, used) {
        MADE.store(used, Ordering::Relaxed);
        FRESH.fetch_max(used, Ordering::Relaxed);
    }
}

/// Does `work` while no other thread makes slots; nothing where one takes too long.
fn while_making<T>(work: impl FnOnce() -> Option<T>) -> Option<T> {
    let mut patience = 0..PATIENCE;
    let this = thread::identity();
    let take = |from| MAKING.compare_exchange(from, this, Ordering::Acquire, Ordering::Relaxed);
    while let Err(other) = take(0) {
        // A signal handler has jumped out of this thread's own attempt.
        if other == this {
            break;
        }
        patience.next()?;
        rustix::thread::sched_yield();
    }
    let result = work();
    MAKING.store(0, Ordering::Release);
    result
}

/// Makes the rest of the calling thread's ring, where it is not there.
pub fn complete_ring() {
    if let Some(slot) = thread::home()
        && !sys::is_sealed()
    {
        complete(slot);
    }
}

/// The same for all threads: the process is about to seal itself, and may not do so later.
pub fn complete_rings() {
    if let Some(region) = process::mapped_region() {
        visible(&region).iter().for_each(complete);
    }
}

fn complete(slot: &Slot) {
    if !slot.ring.is_whole() && mapping::make_ring(slot) {
        slot.ring.set_whole();
    }
}

/// The calling thread gives back its slot. True where no other thread has one.
pub fn release(slot: &'static Slot) -> bool {
    if let Some(header) = process::header() {
        slot.counters.publish(&header.heap);
    }
    if !sys::is_sealed() {
        slot.owner.rename(sys::thread_name());
    }
    slot.in_flight.end();
    slot.owner.leave();
    TAKEN.fetch_sub(1, Ordering::SeqCst) == 1
}

/// Whether any thread has a slot.
pub fn is_any_taken() -> bool {
    TAKEN.load(Ordering::SeqCst) != 0
}
