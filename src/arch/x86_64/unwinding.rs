//! What unwinding a stack depends on (System V ABI, AMD64 supplement, 3.6.2 and 6.2).

use std::arch::naked_asm;

use crate::arch::State;

/// The numbers that unwind information gives to registers.
pub const STACK_POINTER: u8 = 7;
/// See above.
pub const FRAME_POINTER: u8 = 6;
/// See above.
pub const RETURN_ADDRESS: u8 = 16;

/// The canonical frame address is a multiple of so many bytes away from what it is computed from.
pub const CFA_UNIT: i32 = 8;

/// Where every function finds its return address, from the canonical frame address; none where that differs by function.
pub const RETURN_ADDRESS_AT: Option<i32> = Some(-8);

/// The state of whoever calls this, once it has returned.
#[unsafe(naked)]
pub unsafe extern "C" fn state_of_caller(state: *mut State) {
    naked_asm!(
        "mov rax, [rsp]",
        "mov [rdi], rax",
        "lea rax, [rsp + 8]",
        "mov [rdi + 8], rax",
        "mov [rdi + 16], rbp",
        "mov qword ptr [rdi + 24], 0",
        "ret",
    )
}

/// Where the kernel keeps the interrupted registers, in bytes from the stack pointer of the code that a signal handler returns
/// to (asm/sigcontext.h, asm/ucontext.h): the instruction, the stack pointer, the frame pointer, and the link register, if any.
pub const INTERRUPTED: [Option<usize>; 4] = [Some(168), Some(160), Some(120), None];

/// A return address as it stands in memory, without what the processor has put into it.
#[inline(always)]
pub fn address_of_code(stored: usize) -> usize {
    stored
}
