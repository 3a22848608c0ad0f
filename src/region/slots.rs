//! Which thread has which slot.
//!
//! An atomic operation on the slot itself assigns it, because forked children that could not make a region of their
//! own share this one ([`process`]). This module keeps what this process knows: which slots have their memory in its
//! address space. A slot of another process may have none here, and must not be touched.

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_record::region::{Circumstance, Region};
use weir_record::slot::{Slot, Tenancy};

use crate::process::{self, modes, vfork};
use crate::region::mapping;
use crate::sys::{self, Turn};
use crate::thread;

/// The first slot that this process has not asked for.
static FRESH: AtomicUsize = AtomicUsize::new(0);
/// How many slots, from the first, have their memory in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// The index at which the search for a slot of an ended thread begins.
static ENDED_HINT: AtomicUsize = AtomicUsize::new(0);
/// Slots get their memory in order.
static MAKING: Turn = Turn::new();

/// How many threads of this process have a slot.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A process with at least this many used slots takes over those of ended threads before it makes fresh ones.
const FRESH_PREFERRED: usize = 32;
/// How many slots a process that shares a region examines for one of an ended thread.
const MOST_TRIED: usize = 64;

/// Begins a new region: none of its slots has its memory.
pub fn begin() {
    FRESH.store(0, Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    ENDED_HINT.store(0, Ordering::Relaxed);
}

/// In a child of fork: a thread that was making a slot does not exist here.
pub fn forked() {
    MAKING.forget();
    TAKEN.store(0, Ordering::Relaxed);
    FRESH.store(MADE.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The slots that this process may read.
pub fn visible(region: &Region<'static>) -> &'static [Slot] {
    let made = MADE.load(Ordering::Relaxed);
    &region.all_slots()[..made.min(region.all_slots().len())]
}

/// Takes a slot for the calling thread, which is being attached and has its signals blocked. `None` if there is none left.
pub fn claim() -> Option<&'static Slot> {
    let _allowed = sys::allowed()?;
    let region = process::mapped_region()?;
    let thread = Thread::this();
    let used = region.header.slots_used();
    if used > MADE.load(Ordering::Relaxed) {
        MAKING.with(|| {
            reveal(used.min(region.all_slots().len()));
            Some(())
        });
    }
    let slot = if used < FRESH_PREFERRED {
        fresh(&region, &thread).or_else(|| ended(visible(&region), &thread))
    } else {
        ended(visible(&region), &thread).or_else(|| fresh(&region, &thread))
    }?;
    // A thread without time-stamp counter passes that on to the threads that it starts, so nothing is timed.
    let one_in = match sys::counter::is_taken() {
        false => region.header.timed_one_in.load(Ordering::Relaxed),
        true => 0,
    };
    slot.in_flight.end();
    let seed = sys::ticks() ^ u64::from(thread.tid) << 40;
    let is_sampled = modes::are(modes::SAMPLES);
    let is_every_due = modes::are(modes::STACKS) && !is_sampled;
    slot.countdown.start(one_in, seed, is_every_due);
    let sampled_bytes = match is_sampled {
        true => region.header.sampled_bytes.get(),
        false => 0,
    };
    sys::with_float_state_kept(|| slot.counters.start_sampling(sampled_bytes, seed));
    TAKEN.fetch_add(1, Ordering::SeqCst);
    Some(slot)
}

/// The calling thread, as its slot describes it.
struct Thread {
    tid: u32,
    name: [u64; 2],
}

impl Thread {
    fn this() -> Thread {
        Thread {
            // A child of vfork attaches the thread that waits for it. In a forked child that is the first.
            tid: match process::header() {
                Some(header) if vfork::is_child() => header.pid.load(Ordering::Relaxed),
                _ => sys::tid(),
            },
            name: sys::thread_name(),
        }
    }

    fn take(&self, slot: &Slot, from: Tenancy) -> bool {
        slot.owner.take(from, self.tid, self.name, sys::ticks())
    }
}

/// Takes a slot whose thread has ended.
fn ended(used: &'static [Slot], thread: &Thread) -> Option<&'static Slot> {
    // Each process that shares the region begins the search anew, and threads of killed processes keep their slots.
    // So a process examines only some slots, and different processes examine different ones.
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

/// Takes a slot that no thread has had.
fn fresh(region: &Region<'static>, thread: &Thread) -> Option<&'static Slot> {
    if FRESH.load(Ordering::Relaxed) >= region.all_slots().len() {
        return None;
    }
    let made = MAKING.with(|| Some(make(region, thread)));
    if made.is_none() {
        region.header.note(Circumstance::SlotAwaited);
    }
    made?
}

/// Makes the next slot, and takes it.
fn make(region: &Region<'static>, thread: &Thread) -> Option<&'static Slot> {
    let slots = region.all_slots();
    loop {
        let index = FRESH.load(Ordering::Relaxed);
        let slot = slots
            .get(index)
            .filter(|_| mapping::has_room_for_slot(index))?;
        if !mapping::make_slot(index) {
            region.header.note(Circumstance::NoSlotMemory);
            // Another attempt for each thread would not make any.
            FRESH.store(slots.len(), Ordering::Relaxed);
            return None;
        }
        slot.set_number(index);
        MADE.store(index + 1, Ordering::Relaxed);
        FRESH.store(index + 1, Ordering::Relaxed);
        // Another process that shares the region may have been faster.
        if thread.take(slot, Tenancy::Free) {
            region.header.use_slots(index + 1);
            return Some(slot);
        }
    }
}

/// Makes the slots accessible that other processes have made, up to `used`.
fn reveal(used: usize) {
    let made = MADE.load(Ordering::Relaxed);
    if used > made && mapping::open_slots(made, used) {
        MADE.store(used, Ordering::Relaxed);
        FRESH.fetch_max(used, Ordering::Relaxed);
    }
}

/// Makes the rest of the calling thread's ring, unless it is there.
pub fn complete_ring() {
    if let Some(slot) = thread::home()
        && let Some(_allowed) = sys::allowed()
    {
        complete(slot);
    }
}

/// The same for all threads: the process is about to seal itself, and may not do this later.
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

/// Gives back the calling thread's slot. True if no other thread has one.
pub fn release(slot: &'static Slot) -> bool {
    if let Some(header) = process::header() {
        slot.counters.publish(&header.heap);
    }
    if let Some(_allowed) = sys::allowed() {
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
