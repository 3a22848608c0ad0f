//! Bodies of naked functions, and the registers in which variable arguments come.

use std::ffi::c_void;

/// How many arguments, integers or pointers, come in registers.
pub const ARGUMENT_REGISTERS: usize = 6;

/// The registers in which arguments come, as a `va_list` finds them.
#[repr(C, align(16))]
pub struct Registers {
    /// The general ones.
    pub general: [usize; 6],
    vector: [[u64; 2]; 8],
}

/// A `va_list` (System V ABI, AMD64 supplement, 3.5.7).
#[repr(C)]
pub struct Arguments {
    general_offset: u32,
    vector_offset: u32,
    on_stack: *const c_void,
    registers: *const Registers,
}

const _: () = assert!(size_of::<Registers>() == 176 && size_of::<Arguments>() == 24);

impl Arguments {
    /// What follows so many fixed arguments, all of which came in general registers.
    pub fn after(fixed: usize, registers: *const Registers, on_stack: *const c_void) -> Arguments {
        Arguments {
            general_offset: (fixed * size_of::<usize>()) as u32,
            vector_offset: std::mem::offset_of!(Registers, vector) as u32,
            on_stack,
            registers,
        }
    }
}

/// Stores all registers in which arguments may have come, and calls `body(registers, arguments on the stack)`. Its answer is an
/// [`Answer`](crate::arch::Answer): returns the result, or jumps on with all registers and the stack as they were.
macro_rules! with_registers {
    ($body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            // The return address is between: the stack is aligned to 16 again.
            "sub rsp, 184",
            ".cfi_adjust_cfa_offset 184",
            "mov [rsp], rdi",
            "mov [rsp + 8], rsi",
            "mov [rsp + 16], rdx",
            "mov [rsp + 24], rcx",
            "mov [rsp + 32], r8",
            "mov [rsp + 40], r9",
            // The most that there are in vector registers.
            "mov [rsp + 176], rax",
            "test al, al",
            "je 2f",
            "movaps [rsp + 48], xmm0",
            "movaps [rsp + 64], xmm1",
            "movaps [rsp + 80], xmm2",
            "movaps [rsp + 96], xmm3",
            "movaps [rsp + 112], xmm4",
            "movaps [rsp + 128], xmm5",
            "movaps [rsp + 144], xmm6",
            "movaps [rsp + 160], xmm7",
            "2:",
            "mov rdi, rsp",
            "lea rsi, [rsp + 192]",
            "call {body}",
            "test rdx, rdx",
            "jnz 3f",
            "add rsp, 184",
            ".cfi_remember_state",
            ".cfi_adjust_cfa_offset -184",
            "ret",
            "3:",
            ".cfi_restore_state",
            "mov r11, rdx",
            "mov rdi, [rsp]",
            "mov rsi, [rsp + 8]",
            "mov rdx, [rsp + 16]",
            "mov rcx, [rsp + 24]",
            "mov r8, [rsp + 32]",
            "mov r9, [rsp + 40]",
            "mov rax, [rsp + 176]",
            "test al, al",
            "je 4f",
            "movaps xmm0, [rsp + 48]",
            "movaps xmm1, [rsp + 64]",
            "movaps xmm2, [rsp + 80]",
            "movaps xmm3, [rsp + 96]",
            "movaps xmm4, [rsp + 112]",
            "movaps xmm5, [rsp + 128]",
            "movaps xmm6, [rsp + 144]",
            "movaps xmm7, [rsp + 160]",
            "4:",
            "add rsp, 184",
            ".cfi_adjust_cfa_offset -184",
            "jmp r11",
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
            "push r9",
            "push r8",
            "push rcx",
            "push rdx",
            "push rsi",
            ".cfi_adjust_cfa_offset 40",
            "mov rsi, rsp",
            // The return address is between.
            "lea rdx, [rsp + 48]",
            "call {body}",
            "add rsp, 40",
            ".cfi_adjust_cfa_offset -40",
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
            "push rdi",
            "push rsi",
            "push rdx",
            "push rcx",
            "push r8",
            "push r9",
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 56",
            "call {answer}",
            "mov r11, rax",
            "add rsp, 8",
            "pop r9",
            "pop r8",
            "pop rcx",
            "pop rdx",
            "pop rsi",
            "pop rdi",
            ".cfi_adjust_cfa_offset -56",
            "jmp r11",
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
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            "call {begin}",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "jmp rax",
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
            "mov rax, rdi",
            "mov rdi, rsi",
            "mov rsi, rdx",
            "mov rdx, rcx",
            "mov r10, r8",
            "mov r8, r9",
            "mov r9, [rsp + 8]",
            "syscall",
            "mov rsi, rdi",
            "mov rdi, rax",
            "jmp {then}",
            ".cfi_endproc",
            then = sym $then,
        )
    };
}
pub(crate) use system_call_then;

/// Hands so many arguments, and the address that the hook returns to behind them, on to the body.
macro_rules! with_caller {
    (1, $body:path) => {
        $crate::arch::with_caller!("rsi", $body)
    };
    (2, $body:path) => {
        $crate::arch::with_caller!("rdx", $body)
    };
    (3, $body:path) => {
        $crate::arch::with_caller!("rcx", $body)
    };
    (4, $body:path) => {
        $crate::arch::with_caller!("r8", $body)
    };
    // The seventh of the body is on the stack.
    (6, $body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            "push [rsp]",
            ".cfi_adjust_cfa_offset 8",
            "call {body}",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "ret",
            ".cfi_endproc",
            body = sym $body,
        )
    };
    ($register:literal, $body:path) => {
        ::std::arch::naked_asm!(
            ".cfi_startproc",
            concat!("mov ", $register, ", [rsp]"),
            "jmp {body}",
            ".cfi_endproc",
            body = sym $body,
        )
    };
}
pub(crate) use with_caller;
