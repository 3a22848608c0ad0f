//! x86-64.

#[cfg(not(any(miri, loom)))]
use std::arch::asm;

use crate::sync::{AtomicU64, Ordering};

/// The time-stamp counter.
#[inline(always)]
pub fn ticks() -> u64 {
    #[cfg(not(miri))]
    // SAFETY: RDTSC is in every x86-64 processor, and reads nothing of memory.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(miri)]
    0
}

/// About as many ticks as a tenth of a millisecond has: at 2.6 GHz. The true rate is known to readers only.
pub fn ticks_of_a_long_call() -> u64 {
    1 << 18
}

/// Whether the counter runs at one rate whatever the processor's frequency and sleep state
/// (CPUID leaf 8000_0007h, EDX bit 8; AMD64 manual volume 3, appendix E.4).
pub fn is_invariant() -> bool {
    const ADVANCED_POWER: u32 = 0x8000_0007;
    use std::arch::x86_64::__cpuid;
    __cpuid(0x8000_0000).eax >= ADVANCED_POWER && __cpuid(ADVANCED_POWER).edx & (1 << 8) != 0
}

/// Adds, wrapping; for the one thread that does, and for its signal handlers.
///
/// An addition to memory is one instruction, and a signal arrives before or after it, never within. A relaxed load, an
/// addition and a relaxed store are compiled to that instruction (LLVM, X86InstrCompiler.td: the patterns of
/// RELEASE_ADD64mr). No language promises it, so a test reads the hooks' machine code. Inline
/// assembly would promise it, and was measured: its address operands cost a tenth of a malloc.
/// The addition costs 0.3 ns; a locked one costs 7 ns.
#[inline(always)]
pub fn add(number: &AtomicU64, by: u64) {
    let sum = number.load(Ordering::Relaxed).wrapping_add(by);
    number.store(sum, Ordering::Relaxed);
}

/// Takes one from a number, and says whether nothing is left: it is not above zero, as a signed one.
///
/// # Safety
/// It is alive, and written by relaxed atomic accesses only.
#[cfg(not(any(miri, loom)))]
#[inline(always)]
pub unsafe fn count_down(number: *mut u64) -> bool {
    // SAFETY: a plain aligned 8-byte access is what a relaxed atomic one compiles to.
    unsafe {
        // One instruction, the outcome of which is in the flags: the compiler would load, store and test.
        asm!(
            "dec qword ptr [{number}]",
            "jle {is_out}",
            number = in(reg) number,
            is_out = label { return true },
            options(nostack),
        );
    }
    false
}

/// Takes bytes from the number at this offset, and says whether it is below zero then, as a signed one.
///
/// # Safety
/// It is alive, and written by relaxed atomic accesses only.
#[cfg(not(any(miri, loom)))]
#[inline(always)]
pub unsafe fn take_away<T, const AT: usize>(of: &T, bytes: u64) -> bool {
    // SAFETY: a plain aligned 8-byte access is what a relaxed atomic one compiles to.
    unsafe {
        // As in `count_down`.
        asm!(
            "sub qword ptr [{of} + {at}], {bytes}",
            "js {is_below}",
            of = in(reg) of,
            at = const AT,
            bytes = in(reg) bytes,
            is_below = label { return true },
            options(nostack),
        );
    }
    false
}
