//! AArch64.

use std::arch::global_asm;

/// What a program is that Weir cannot trace because of its machine; reads on after its name.
pub const OF_ANOTHER_MACHINE: &str =
    "is for another machine or word size; Weir traces 64-bit AArch64 programs";

// `double log2(double)`. Hidden: the program's calls do not come here.
global_asm!(
    ".pushsection .text.weir_log2,\"ax\",@progbits",
    ".globl log2",
    ".hidden log2",
    ".type log2, @function",
    "log2:",
    ".cfi_startproc",
    "b {logarithm}",
    ".cfi_endproc",
    ".size log2, . - log2",
    ".popsection",
    logarithm = sym crate::log2::logarithm,
);
