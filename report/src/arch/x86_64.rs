//! x86-64.

use std::arch::global_asm;

/// What a program is that Weir cannot trace because of its machine; reads on after its name.
pub const OF_ANOTHER_MACHINE: &str =
    "is for another machine or word size; Weir traces 64-bit x86-64 programs";

// `double log2(double)`. Hidden: the program's calls do not come here. The processor's own instruction (FYL2X) would change
// the state of a unit that nothing else of ours uses, and that is the program's.
global_asm!(
    ".pushsection .text.weir_log2,\"ax\",@progbits",
    ".globl log2",
    ".hidden log2",
    ".type log2, @function",
    "log2:",
    ".cfi_startproc",
    "jmp {logarithm}",
    ".cfi_endproc",
    ".size log2, . - log2",
    ".popsection",
    logarithm = sym crate::log2::logarithm,
);
