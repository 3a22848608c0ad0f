//! AArch64.

#[cfg(not(any(miri, loom)))]
use std::arch::asm;

use crate::sync::{AtomicU64, Ordering};

/// The generic timer's virtual count.
#[inline(always)]
pub fn ticks() -> u64 {
    #[cfg(not(miri))]
    {
        let ticks;
        // SAFETY: reads a register, as every Linux lets programs do.
        unsafe {
            asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags));
        }
        ticks
    }
    #[cfg(miri)]
    0
}

/// How many ticks a tenth of a millisecond has.
pub fn ticks_of_a_long_call() -> u64 {
    #[cfg(not(miri))]
    {
        let per_second: u64;
        // SAFETY: reads a register, as every Linux lets programs do.
        unsafe {
            asm!("mrs {}, cntfrq_el0", out(reg) per_second, options(nomem, nostack, preserves_flags));
        }
        per_second / 10_000
    }
    #[cfg(miri)]
    0
}

/// Whether the counter runs at one rate whatever the processor's frequency and sleep state: always (Arm Architecture
/// Reference Manual, "The system counter").
pub fn is_invariant() -> bool {
    true
}

/// Whether an addition to memory may be one instruction.
#[cfg(not(any(miri, loom)))]
static HAS_SINGLE_ADDITIONS: std::sync::atomic::AtomicBool =
    std::sync::atomic::AtomicBool::new(false);

/// From now on additions are made by one instruction: to be called where the kernel says that the processor has it
/// (`AT_HWCAP`, `HWCAP_ATOMICS`). Until then, and elsewhere, they are no less exact.
pub fn use_single_additions() {
    #[cfg(not(any(miri, loom)))]
    HAS_SINGLE_ADDITIONS.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Adds, wrapping; for the one thread that does, and for its signal handlers.
///
/// A load, an addition and a store would lose what a handler adds in between. Either they are one instruction (`ldadd`, which
/// Armv8.1 has, without any order), or the store is exclusive: after a handler it fails, because the return from it clears the
/// monitor (Arm Architecture Reference Manual, "Exception return"), and all of it is done again.
#[inline(always)]
pub fn add(number: &AtomicU64, by: u64) {
    #[cfg(not(any(miri, loom)))]
    // SAFETY: an aligned number that may be written.
    unsafe {
        if cfg!(target_feature = "lse")
            || HAS_SINGLE_ADDITIONS.load(std::sync::atomic::Ordering::Relaxed)
        {
            // With a register for what was there: without one, some processors carry it out far from the cache.
            asm!(
                ".arch_extension lse",
                "ldadd {by}, {before}, [{number}]",
                by = in(reg) by,
                before = out(reg) _,
                number = in(reg) number.as_ptr(),
                options(nostack, preserves_flags),
            );
        } else {
            asm!(
                "2:",
                "ldxr {sum}, [{number}]",
                "add {sum}, {sum}, {by}",
                "stxr {has_failed:w}, {sum}, [{number}]",
                "cbnz {has_failed:w}, 2b",
                by = in(reg) by,
                sum = out(reg) _,
                has_failed = out(reg) _,
                number = in(reg) number.as_ptr(),
                options(nostack, preserves_flags),
            );
        }
    }
    #[cfg(any(miri, loom))]
    number.fetch_add(by, Ordering::Relaxed);
}

/// Takes one from a number, and says whether nothing is left: it is not above zero, as a signed one. A handler that comes between
/// shifts a sample, and nothing is lost.
///
/// # Safety
/// It is alive, and written by relaxed atomic accesses only.
#[cfg(not(any(miri, loom)))]
#[inline(always)]
pub unsafe fn count_down(number: *mut u64) -> bool {
    // SAFETY: as the caller promises.
    let number = unsafe { AtomicU64::from_ptr(number) };
    let left = number.load(Ordering::Relaxed).wrapping_sub(1);
    number.store(left, Ordering::Relaxed);
    left.cast_signed() <= 0
}

/// Takes bytes from the number at this offset, and says whether it is below zero then, as a signed one. A handler that comes between
/// shifts a sample.
///
/// # Safety
/// It is alive, and written by relaxed atomic accesses only.
#[cfg(not(any(miri, loom)))]
#[inline(always)]
pub unsafe fn take_away<T, const AT: usize>(of: &T, bytes: u64) -> bool {
    let number = std::ptr::from_ref(of).cast::<u64>().cast_mut();
    // SAFETY: as the caller promises.
    let number = unsafe { AtomicU64::from_ptr(number.byte_add(AT)) };
    let left = number.load(Ordering::Relaxed).wrapping_sub(bytes);
    number.store(left, Ordering::Relaxed);
    left.cast_signed() < 0
}
