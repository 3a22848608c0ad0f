//! Bodies of naked functions, and the registers in which variable arguments come.

use std::ffi::c_void;

/// How many arguments, integers or pointers, come in registers.
pub const ARGUMENT_REGISTERS: usize = 8;

/// The registers in which arguments come, as a `va_list` finds them.
#[repr(C, align(16))]
pub struct Registers {
    /// The general ones.
    pub general: [usize; 8],
    vector: [[u64; 2]; 8],
}

/// A `va_list` (AAPCS64, appendix B): the ends of what it has of registers, and how far before them its next argument is.
/// It is larger than what is passed in registers, so that a function that takes one is passed its address.
#[repr(C)]
pub struct Arguments {
    on_stack: *const c_void,
    general_end: *const c_void,
    vector_end: *const c_void,
    general_offset: i32,
    vector_offset: i32,
}

const _: () = assert!(size_of::<Registers>() == 192 && size_of::<Arguments>() == 32);

impl Arguments {
    /// What follows so many fixed arguments, all of which came in general registers.
    pub fn after(fixed: usize, registers: *const Registers, on_stack: *const c_void) -> Arguments {
        let left = (ARGUMENT_REGISTERS - fixed) * size_of::<usize>();
        Arguments {
            on_stack,
            general_end: registers
                .wrapping_byte_add(std::mem::offset_of!(Registers, vector))
                .cast(),
            vector_end: registers.wrapping_add(1).cast(),
            general_offset: -(left as i32),
            vector_offset: -(size_of::<[[u64; 2]; 8]>() as i32),
        }
    }
}

/// Stores all registers in which arguments may have come, and calls `body(registers, arguments on the stack)`. Its answer is an
/// [`Answer`](crate::arch::Answer): returns the result, or jumps on with all registers and the stack as they were.
macro_rules! with_registers {
    ($body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "stp x29, x30, [sp, #-208]!",
            ".cfi_def_cfa_offset 208",
            ".cfi_offset x29, -208",
            ".cfi_offset x30, -200",
            "mov x29, sp",
            "stp x0, x1, [sp, #16]",
            "stp x2, x3, [sp, #32]",
            "stp x4, x5, [sp, #48]",
            "stp x6, x7, [sp, #64]",
            "stp q0, q1, [sp, #80]",
            "stp q2, q3, [sp, #112]",
            "stp q4, q5, [sp, #144]",
            "stp q6, q7, [sp, #176]",
            "add x0, sp, #16",
            "add x1, sp, #208",
            "bl {body}",
            "cbnz x1, 3f",
            "ldp x29, x30, [sp], #208",
            ".cfi_remember_state",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "ret",
            "3:",
            ".cfi_restore_state",
            "mov x16, x1",
            "ldp x0, x1, [sp, #16]",
            "ldp x2, x3, [sp, #32]",
            "ldp x4, x5, [sp, #48]",
            "ldp x6, x7, [sp, #64]",
            "ldp q0, q1, [sp, #80]",
            "ldp q2, q3, [sp, #112]",
            "ldp q4, q5, [sp, #144]",
            "ldp q6, q7, [sp, #176]",
            "ldp x29, x30, [sp], #208",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "br x16",
            ".cfi_endproc",
            body = sym $body,
        )
    };
}
pub(crate) use with_registers;

/// Stores the registers of all arguments but the first side by side, and calls the body with the first argument, where the
/// registers are, and where the arguments on the stack are.
macro_rules! with_pointers {
    ($body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "stp x29, x30, [sp, #-80]!",
            ".cfi_def_cfa_offset 80",
            ".cfi_offset x29, -80",
            ".cfi_offset x30, -72",
            "mov x29, sp",
            "stp x1, x2, [sp, #16]",
            "stp x3, x4, [sp, #32]",
            "stp x5, x6, [sp, #48]",
            "str x7, [sp, #64]",
            "add x1, sp, #16",
            "add x2, sp, #80",
            "bl {body}",
            "ldp x29, x30, [sp], #80",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "ret",
            ".cfi_endproc",
            body = sym $body,
        )
    };
}
pub(crate) use with_pointers;

/// Calls `answer` with the arguments, and jumps to the address that it returns, with all registers and the stack as they were.
macro_rules! jump_to_answer {
    ($answer:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "stp x29, x30, [sp, #-80]!",
            ".cfi_def_cfa_offset 80",
            ".cfi_offset x29, -80",
            ".cfi_offset x30, -72",
            "mov x29, sp",
            "stp x0, x1, [sp, #16]",
            "stp x2, x3, [sp, #32]",
            "stp x4, x5, [sp, #48]",
            "stp x6, x7, [sp, #64]",
            "bl {answer}",
            "mov x16, x0",
            "ldp x0, x1, [sp, #16]",
            "ldp x2, x3, [sp, #32]",
            "ldp x4, x5, [sp, #48]",
            "ldp x6, x7, [sp, #64]",
            "ldp x29, x30, [sp], #80",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "br x16",
            ".cfi_endproc",
            answer = sym $answer,
        )
    };
}
pub(crate) use jump_to_answer;

/// Calls `begin`, and jumps to the address that it returns: a function without arguments.
macro_rules! jump_without_arguments {
    ($begin:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "stp x29, x30, [sp, #-16]!",
            ".cfi_def_cfa_offset 16",
            ".cfi_offset x29, -16",
            ".cfi_offset x30, -8",
            "mov x29, sp",
            "bl {begin}",
            "mov x16, x0",
            "ldp x29, x30, [sp], #16",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "br x16",
            ".cfi_endproc",
            begin = sym $begin,
        )
    };
}
pub(crate) use jump_without_arguments;

/// syscall(2), but that `then(result, first argument)` gives the result.
macro_rules! system_call_then {
    ($then:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "mov x8, x0",
            "mov x0, x1",
            "mov x1, x2",
            "mov x2, x3",
            "mov x3, x4",
            "mov x4, x5",
            "mov x5, x6",
            // The kernel keeps it, as all but the result.
            "mov x9, x0",
            "svc 0",
            "mov x1, x9",
            "b {then}",
            ".cfi_endproc",
            then = sym $then,
        )
    };
}
pub(crate) use system_call_then;

/// Hands so many arguments, and the address that the hook returns to behind them, on to the body.
macro_rules! with_caller {
    ($arguments:literal, $body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            concat!("mov x", $arguments, ", x30"),
            "b {body}",
            ".cfi_endproc",
            body = sym $body,
        )
    };
}
pub(crate) use with_caller;
