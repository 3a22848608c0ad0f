//! Which thread has which slot.
//!
//! Slots are handed out by an atomic operation on the slot itself, because forked children that could make no
//! region of their own share this one ([`image`]). What is kept here is what this process knows: which
//! slots have their memory in its address space. Another's may be there, and must not be touched.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use weir_record::clock;
use weir_record::region::Region;
use weir_record::slot::{Slot, Tenancy};

use crate::{image, mapping, sys, thread, writer};

/// The first slot that has not been asked for in this process.
static FRESH: AtomicUsize = AtomicUsize::new(0);
/// How many slots, from the first, have their memory in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Where the search for a slot that was left begins.
static ENDED_HINT: AtomicUsize = AtomicUsize::new(0);
/// Held while a fresh slot is made: slots get their memory in order.
static MAKING: AtomicBool = AtomicBool::new(false);

/// So many times a thread gives way to one that makes a slot, before it goes on without.
const PATIENCE: u32 = 10_000;
/// A process with more threads than this has slots that were left taken over, before fresh ones.
const FRESH_PREFERRED: usize = 32;

/// A new region: no slot of it has its memory.
pub fn begin() {
    FRESH.store(0, Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    ENDED_HINT.store(0, Ordering::Relaxed);
}

/// In a child of fork: a thread that made a slot is not here.
pub fn forked() {
    MAKING.store(false, Ordering::Relaxed);
    FRESH.store(MADE.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// The slots that may be looked at in this process.
pub fn visible(region: &Region<'static>) -> &'static [Slot] {
    let made = MADE.load(Ordering::Relaxed);
    &region.all_slots()[..made.min(region.all_slots().len())]
}

/// A slot for the calling thread; none where there is none left. For a guarded thread with signals blocked.
pub fn claim() -> Option<&'static Slot> {
    if image::is_sealed() {
        return None;
    }
    let region = image::mapped_region()?;
    let slot = if FRESH.load(Ordering::Relaxed) < FRESH_PREFERRED {
        fresh(&region).or_else(|| ended(visible(&region)))
    } else {
        ended(visible(&region)).or_else(|| fresh(&region))
    }?;
    let one_in = region.header.timed_one_in.load(Ordering::Relaxed);
    slot.countdown
        .start(one_in, clock::ticks() ^ u64::from(slot.owner.tid()) << 40);
    thread::watch_exit_of_this_thread();
    if region.header.slots_used() > 1 {
        // One thread more makes no difference to a program that has several.
        writer::start();
    }
    Some(slot)
}

fn take(slot: &Slot, from: Tenancy) -> bool {
    slot.owner
        .take(from, sys::tid(), sys::thread_name(), clock::ticks())
}

/// A slot whose thread ended.
fn ended(used: &'static [Slot]) -> Option<&'static Slot> {
    let from = ENDED_HINT.load(Ordering::Relaxed).min(used.len());
    let (behind, ahead) = used.split_at(from);
    let place = ahead
        .iter()
        .chain(behind)
        .position(|slot| take(slot, Tenancy::Ended))?;
    let index = (from + place) % used.len();
    ENDED_HINT.store(index + 1, Ordering::Relaxed);
    used.get(index)
}

/// A slot that nobody has had.
fn fresh(region: &Region<'static>) -> Option<&'static Slot> {
    let slots = region.all_slots();
    if FRESH.load(Ordering::Relaxed) >= slots.len() {
        return None;
    }
    let mut patience = 0..PATIENCE;
    while MAKING.swap(true, Ordering::Acquire) {
        patience.next()?;
        rustix::thread::sched_yield();
    }
    let slot = loop {
        let index = FRESH.load(Ordering::Relaxed);
        let Some(slot) = slots.get(index).filter(|_| mapping::make_slot(index)) else {
            // There is no memory, and asking again for every thread would not make any.
            FRESH.store(slots.len(), Ordering::Relaxed);
            break None;
        };
        MADE.store(index + 1, Ordering::Relaxed);
        FRESH.store(index + 1, Ordering::Relaxed);
        // Another process that shares the region may have been faster.
        if take(slot, Tenancy::Free) {
            region.header.use_slots(index + 1);
            break Some(slot);
        }
    };
    MAKING.store(false, Ordering::Release);
    slot
}

/// The calling thread ends.
pub fn release(slot: &'static Slot) {
    if let Some(header) = image::header() {
        slot.counters.publish(&header.heap);
    }
    if !image::is_sealed() {
        slot.owner.rename(sys::thread_name());
    }
    slot.owner.leave();
}
