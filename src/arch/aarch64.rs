//! AArch64 (Procedure Call Standard for the Arm 64-bit Architecture, "AAPCS64").

use std::arch::{asm, global_asm, naked_asm};
use std::ffi::c_void;

pub mod framed;
#[cfg(not(test))]
mod freestanding;
mod hooks;
pub mod numbers;
pub mod unwinding;

#[cfg(not(test))]
pub(crate) use freestanding::*;
pub(crate) use hooks::*;

/// The number of the machine in the head of an executable file (elf.h).
pub const MACHINE: u16 = libc::EM_AARCH64;
/// The machine whose programs the kernel executes, too.
pub const COMPATIBLE_MACHINE: u16 = libc::EM_ARM;

/// Addresses of programs have at most so many bits, unless a program asks for more (Documentation/arch/arm64/memory.rst of the kernel).
pub const ADDRESS_BITS: u32 = 48;

/// The kernel's own function for its clocks (vdso(7)).
pub const CLOCK_FUNCTION: &[u8] = b"__kernel_clock_gettime";

/// The largest page that the kernel may have (arch/arm64/Kconfig): 4, 16 or 64 KiB.
pub const LARGEST_PAGE: usize = 64 * 1024;

/// Begins where a page does, however large that is.
#[repr(C, align(65536))]
pub struct PageAligned<T>(pub T);

/// A system call. Less than 0 is the number of an error, negated.
///
/// # Safety
/// As the kernel has it.
#[inline(always)]
pub unsafe fn system_call(number: i64, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result;
    // SAFETY: the kernel's convention (syscall(2)): these registers, of which only the first changes. What the call
    // does is the caller's to answer for.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") 0,
            options(nostack),
        );
    }
    result
}

/// What of the events of one entry is so at this moment (ppoll(2): there is no other).
///
/// # Safety
/// The entry may be written.
pub unsafe fn poll_now(entry: *mut libc::pollfd) {
    let no_time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let arguments = [entry.addr(), 1, (&raw const no_time).addr(), 0, 0];
    // SAFETY: one entry, which the kernel may write.
    unsafe { system_call(libc::SYS_ppoll, arguments) };
}

/// Whether the calling thread has a thread area of the C library's, the first word of which leads to the thread's
/// storage for each object (ELF for the Arm 64-bit Architecture, "Thread Local Storage"). That one has it for another
/// purpose cannot be seen.
#[inline(always)]
pub fn has_thread_area() -> bool {
    let pointer: *const usize;
    // SAFETY: reads a register.
    unsafe {
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: every hook has read from the area.
    !pointer.is_null() && unsafe { pointer.read_volatile() } != 0
}

/// How the calling thread calculates with floating point, and what has happened while it did (FPCR and FPSR; Arm ARM, C5.2).
pub struct FloatState {
    control: u64,
    status: u64,
}

impl FloatState {
    /// Takes it from the thread, which then calculates as a program does at its start.
    #[inline(always)]
    pub fn take() -> FloatState {
        let (control, status);
        // SAFETY: all exceptions masked, rounding to nearest: Rust's own arithmetic expects this state.
        unsafe {
            asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags));
            asm!("mrs {}, fpsr", out(reg) status, options(nomem, nostack, preserves_flags));
            asm!("msr fpcr, xzr", options(nostack, preserves_flags));
        }
        FloatState { control, status }
    }

    /// Gives it back.
    #[inline(always)]
    pub fn give_back(self) {
        // SAFETY: what the processor has given.
        unsafe {
            asm!("msr fpsr, {}", in(reg) self.status, options(nostack, preserves_flags));
            asm!("msr fpcr, {}", in(reg) self.control, options(nostack, preserves_flags));
        }
    }
}

/// Calls `call(argument)` on the stack that ends at `top`.
///
/// # Safety
/// `top` is the end of a stack that nobody else is on, and a multiple of 16. `call` takes the argument, and unwinds into
/// nothing.
#[inline(always)]
pub unsafe fn call_on_stack(
    top: *mut c_void,
    call: extern "C" fn(*mut c_void),
    argument: *mut c_void,
) {
    // SAFETY: the stack is there, as the caller promises. `call` keeps x20, returns, and does not unwind out of an
    // `extern "C"` function.
    unsafe {
        asm!(
            "mov x20, sp",
            "mov sp, {top}",
            "blr {call}",
            "mov sp, x20",
            out("x20") _,
            top = in(reg) top,
            call = in(reg) call,
            in("x0") argument,
            clobber_abi("C"),
        );
    }
}

// The state of a thread, which `thread.rs` describes.
global_asm!(
    ".pushsection .tbss.weir_thread_state,\"awT\",@nobits",
    ".balign 64",
    ".globl weir_thread_state",
    ".hidden weir_thread_state",
    ".type weir_thread_state, @object",
    ".size weir_thread_state, 64",
    "weir_thread_state:",
    ".zero 64",
    ".popsection",
);
/// Bytes of a thread's state.
pub const THREAD_STATE_BYTES: usize = 64;

/// The first word of the calling thread's state.
#[inline(always)]
pub fn first_of_thread_state() -> usize {
    let word: usize;
    // SAFETY: reads the first word of this thread's state. The offset is in the global offset table because the library has
    // static thread-local storage.
    unsafe {
        asm!(
            "adrp {word}, :gottprel:weir_thread_state",
            "ldr {word}, [{word}, :gottprel_lo12:weir_thread_state]",
            "mrs {pointer}, tpidr_el0",
            "ldr {word}, [{pointer}, {word}]",
            word = out(reg) word,
            pointer = out(reg) _,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// Whether a word has a bit set that the first word of the static `mask` has, too.
macro_rules! shares_bits {
    ($word:expr, $mask:path) => {
        $word & $mask.0[0].load(::std::sync::atomic::Ordering::Relaxed) != 0
    };
}
pub(crate) use shares_bits;

/// The calling thread's state.
#[inline(always)]
pub fn thread_state() -> *mut c_void {
    let state: *mut c_void;
    // SAFETY: computes an address: the thread pointer, and the offset.
    unsafe {
        asm!(
            "adrp {state}, :gottprel:weir_thread_state",
            "ldr {state}, [{state}, :gottprel_lo12:weir_thread_state]",
            "mrs {pointer}, tpidr_el0",
            "add {state}, {state}, {pointer}",
            state = out(reg) state,
            pointer = out(reg) _,
            options(readonly, nostack, preserves_flags),
        );
    }
    state
}

/// Where the calling thread's stack is.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Has the processor fetch what stands there.
#[inline(always)]
pub fn prefetch<T>(place: *const T) {
    // SAFETY: a hint, which reads nothing, and may be of any address.
    unsafe {
        asm!(
            "prfm pldl1keep, [{}]",
            in(reg) place,
            options(readonly, nostack, preserves_flags),
        );
    }
}

/// Makes use of what the kernel says that the processor has (`AT_HWCAP`).
pub fn use_features(features: u64) {
    if features & libc::HWCAP_ATOMICS != 0 {
        weir_record::arch::use_single_additions();
    }
}

/// Nobody can take from a process the right to know its processor here: the kernel said what it is when the process began.
pub fn remember_processor() {}

/// Calls `call(work)`; before it, stores where the stack is. 0, or what [`go_back`] was given.
///
/// # Safety
/// `call` takes `work`, and unwinds into nothing; `way_out` can be written to.
#[unsafe(naked)]
pub unsafe extern "C" fn go(
    work: *mut c_void,
    call: extern "C" fn(*mut c_void),
    way_out: *mut usize,
) -> usize {
    naked_asm!(
        // What a function must keep (AAPCS64, 6.1), and the stack at a multiple of 16.
        "stp x29, x30, [sp, #-160]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x2]",
        "blr x1",
        "mov x1, #0",
        "mov x0, sp",
        "b {go_back}",
        go_back = sym go_back,
    )
}

/// Returns from [`go`], with this result.
///
/// # Safety
/// `way_out` is what a call of `go` has stored, which is in progress on this thread.
#[unsafe(naked)]
pub unsafe extern "C" fn go_back(way_out: usize, result: usize) -> ! {
    naked_asm!(
        "mov sp, x0",
        "mov x0, x1",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        "ret",
    )
}

/// Whether the byte at a place of a table is not 0.
///
/// # Safety
/// The table has the place, and is written by relaxed atomic accesses only.
#[inline(always)]
pub unsafe fn is_set(table: *const u8, place: usize) -> bool {
    // SAFETY: as the caller promises.
    let byte = unsafe { std::sync::atomic::AtomicU8::from_ptr(table.add(place).cast_mut()) };
    byte.load(std::sync::atomic::Ordering::Relaxed) != 0
}
