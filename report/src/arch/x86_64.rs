//! x86-64.

use std::arch::global_asm;

/// What a program is that Weir cannot trace because of its machine; reads on after its name.
pub const OF_ANOTHER_MACHINE: &str =
    "is for another machine or word size; Weir traces 64-bit x86-64 programs";

// `double log2(double)`, by the processor's own instruction (AMD64 manual volume 5, FYL2X: y times the
// logarithm of x). The histograms ask for the logarithm of small whole numbers, and round it up.
// Hidden: the program's calls do not come here.
global_asm!(
    ".pushsection .text.weir_log2,\"ax\",@progbits",
    ".globl log2",
    ".hidden log2",
    ".type log2, @function",
    "log2:",
    ".cfi_startproc",
    "movsd qword ptr [rsp - 8], xmm0",
    "fld1",
    "fld qword ptr [rsp - 8]",
    "fyl2x",
    "fstp qword ptr [rsp - 8]",
    "movsd xmm0, qword ptr [rsp - 8]",
    "ret",
    ".cfi_endproc",
    ".size log2, . - log2",
    ".popsection",
);
