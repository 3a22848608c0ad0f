//! Entries that call a function from a frame which says where the program is.

/// The code of so many entries behind the label `weir_framed_entries`, [`ENTRY_BYTES`] apart.
///
/// An entry has `$begin(call, entry)` fill in a `Call`, which returns a `Kind`, and calls the target with all arguments as they came,
/// which are in registers: from the frame that it was itself called from, or behind a frame record (a frame pointer and a return
/// address) of the program's; and has `$end()` called after it, or not.
macro_rules! framed_entries {
    ($count:expr, $begin:path, $end:path) => {
        ::std::arch::global_asm!(
            ".pushsection .text.weir_framed_entries,\"ax\",@progbits",
            ".balign 16",
            ".globl weir_framed_entries",
            ".hidden weir_framed_entries",
            ".type weir_framed_entries, @function",
            "weir_framed_entries:",
            ".cfi_startproc",
            ".rept {count}",
            "adr x17, .",
            "b 77f",
            ".balign 16",
            ".endr",
            "77:",
            // From the stack pointer: the hook's own record, the program's, the arguments, and a `Call`.
            "stp x29, x30, [sp, #-160]!",
            ".cfi_def_cfa_offset 160",
            ".cfi_offset x29, -160",
            ".cfi_offset x30, -152",
            "stp x0, x1, [sp, #32]",
            "stp x2, x3, [sp, #48]",
            "stp x4, x5, [sp, #64]",
            "stp x6, x7, [sp, #80]",
            "str x8, [sp, #96]",
            "add x9, sp, #160",
            "stp x30, x9, [sp, #112]",
            "stp x29, xzr, [sp, #128]",
            "str xzr, [sp, #144]",
            "add x0, sp, #112",
            "mov x1, x17",
            "mov x29, sp",
            "bl {begin}",
            "mov w11, w0",
            "ldr x9, [sp, #112]",
            "ldr x10, [sp, #128]",
            "ldr x16, [sp, #144]",
            "ldp x0, x1, [sp, #32]",
            "ldp x2, x3, [sp, #48]",
            "ldp x4, x5, [sp, #64]",
            "ldp x6, x7, [sp, #80]",
            "ldr x8, [sp, #96]",
            "cbz w11, 4f",
            "stp x10, x9, [sp, #16]",
            "add x29, sp, #16",
            "cmp w11, #1",
            "b.ne 3f",
            "blr x16",
            "2:",
            ".cfi_remember_state",
            "ldp x29, x30, [sp], #160",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "ret",
            "3:",
            ".cfi_restore_state",
            "blr x16",
            "stp x0, x1, [sp, #32]",
            "bl {end}",
            "ldp x0, x1, [sp, #32]",
            "b 2b",
            "4:",
            "ldp x29, x30, [sp], #160",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "br x16",
            ".cfi_endproc",
            ".size weir_framed_entries, . - weir_framed_entries",
            ".popsection",
            count = const $count,
            begin = sym $begin,
            end = sym $end,
        );
    };
}
pub(crate) use framed_entries;

/// Bytes from an entry to the next.
pub const ENTRY_BYTES: usize = 16;
