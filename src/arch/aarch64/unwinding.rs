//! What unwinding a stack depends on (DWARF for the Arm 64-bit Architecture, 4.1; Procedure Call Standard, 6.4.6).

use std::arch::{asm, naked_asm};

use crate::arch::State;

/// The numbers that unwind information gives to registers.
pub const STACK_POINTER: u8 = 31;
/// See above.
pub const FRAME_POINTER: u8 = 29;
/// See above.
pub const RETURN_ADDRESS: u8 = 30;

/// The canonical frame address is a multiple of so many bytes away from what it is computed from.
pub const CFA_UNIT: i32 = 16;

/// Where every function finds its return address, from the canonical frame address; none where that differs by function.
pub const RETURN_ADDRESS_AT: Option<i32> = None;

/// The state of whoever calls this, once it has returned.
#[unsafe(naked)]
pub unsafe extern "C" fn state_of_caller(state: *mut State) {
    naked_asm!(
        "mov x1, sp",
        "stp x30, x1, [x0]",
        "stp x29, xzr, [x0, #16]",
        "ret",
    )
}

/// Where the kernel keeps the interrupted registers, in bytes from the stack pointer of the code that a signal handler returns
/// to (asm/sigcontext.h, asm/ucontext.h): the instruction, the stack pointer, the frame pointer, and the link register, if any.
pub const INTERRUPTED: [Option<usize>; 4] = [Some(568), Some(560), Some(544), Some(552)];

/// A return address as it stands in memory, without the signature that the processor may have put into it.
#[inline(always)]
pub fn address_of_code(stored: usize) -> usize {
    let plain;
    // SAFETY: `xpaclri` takes the signature off x30, and is a hint that does nothing on processors without signatures.
    unsafe {
        asm!("hint #7", inlateout("x30") stored => plain, options(nomem, nostack, preserves_flags));
    }
    plain
}
