//! Entries that call a function from a frame which says where the program is.

/// The code of so many entries behind the label `weir_framed_entries`, [`ENTRY_BYTES`] apart.
///
/// An entry has `$begin(call, entry)` fill in a `Call`, which returns a `Kind`, and calls the target with all arguments as they came,
/// which are in registers. Plainly: from the frame that it was itself called from. Otherwise behind the frame record of the `Call`; and
/// has `$end()` called after it, or lets it return through a [`RETURN`] elsewhere.
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
            // From the stack pointer: the hook's own record, a `Call`, and the registers of arguments.
            "stp x29, x30, [sp, #-160]!",
            ".cfi_def_cfa_offset 160",
            ".cfi_offset x29, -160",
            ".cfi_offset x30, -152",
            "stp x0, x1, [sp, #80]",
            "stp x2, x3, [sp, #96]",
            "stp x4, x5, [sp, #112]",
            "stp x6, x7, [sp, #128]",
            "str x8, [sp, #144]",
            "add x9, sp, #160",
            "stp x30, x9, [sp, #16]",
            "stp x29, xzr, [sp, #32]",
            "add x0, sp, #16",
            "mov x1, x17",
            "mov x29, sp",
            "bl {begin}",
            "mov w11, w0",
            "ldp x0, x1, [sp, #80]",
            "ldp x2, x3, [sp, #96]",
            "ldp x4, x5, [sp, #112]",
            "ldp x6, x7, [sp, #128]",
            "ldr x8, [sp, #144]",
            "ldp x16, x9, [sp, #48]",
            "cbz w11, 6f",
            "add x29, sp, #64",
            "cmp w11, #2",
            "b.eq 3f",
            "b.hi 4f",
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
            ".cfi_remember_state",
            "blr x16",
            "stp x0, x1, [sp, #80]",
            "bl {end}",
            "ldp x0, x1, [sp, #80]",
            "b 2b",
            "4:",
            "adr x10, 5f",
            "stp x29, x10, [sp, #-16]!",
            ".cfi_adjust_cfa_offset 16",
            "mov x30, x9",
            "br x16",
            ".cfi_adjust_cfa_offset -16",
            // What is said of a return address is about the instruction before it.
            "nop",
            "5:",
            "b 2b",
            "6:",
            ".cfi_restore_state",
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

/// The most bytes of the stack that an unwinder may take at a [`RETURN`]; 0 where it may take no other number than [`RETURN_TAKES`].
pub const MOST_BEHIND: usize = 0;

/// Bytes from an entry to the next.
pub const ENTRY_BYTES: usize = 16;

/// Code that returns to the address in the record on top of the stack: `ldp x29, x30, [sp], #16` and `ret`.
pub const RETURN: &[u8] = b"\xfd\x7b\xc1\xa8\xc0\x03\x5f\xd6";
/// Where such code may begin: at multiples of so many bytes.
pub const RETURN_ALIGN: usize = 4;
/// What the unwind information of such code says, if it is to be followed: how many bytes it takes from the stack, and whether the
/// frame pointer is among them, first.
pub const RETURN_TAKES: (i32, bool) = (16, true);
