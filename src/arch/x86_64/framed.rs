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
            // Its own address: the instruction has seven bytes.
            "lea r11, [rip - 7]",
            "jmp 77f",
            ".balign 16, 0xcc",
            ".endr",
            "77:",
            "push rbp",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_offset rbp, -16",
            "push rdi",
            "push rsi",
            "push rdx",
            "push rcx",
            "push r8",
            "push r9",
            // How many arguments are in vector registers, where their number varies.
            "push rax",
            // A `Call`, from its end: no target, no link, and the frame pointer, stack pointer and return address of the hook.
            "push 0",
            "push 0",
            "push rbp",
            "lea r10, [rsp + 96]",
            "push r10",
            "push [rsp + 96]",
            ".cfi_adjust_cfa_offset 96",
            "mov rdi, rsp",
            "mov rsi, r11",
            "call {begin}",
            // The instructions up to the jumps leave the flags as they are.
            "cmp eax, 1",
            "mov r10, [rsp]",
            "mov rbp, [rsp + 16]",
            "mov r11, [rsp + 32]",
            "lea rsp, [rsp + 40]",
            "pop rax",
            "pop r9",
            "pop r8",
            "pop rcx",
            "pop rdx",
            "pop rsi",
            "pop rdi",
            ".cfi_adjust_cfa_offset -96",
            "jb 4f",
            ".cfi_remember_state",
            "push r10",
            "push rbp",
            "mov rbp, rsp",
            ".cfi_def_cfa rbp, 32",
            "ja 3f",
            "call r11",
            "2:",
            "add rsp, 16",
            "pop rbp",
            ".cfi_def_cfa rsp, 8",
            ".cfi_restore rbp",
            "ret",
            "3:",
            ".cfi_def_cfa rbp, 32",
            ".cfi_offset rbp, -16",
            "call r11",
            "push rax",
            "push rdx",
            "call {end}",
            "pop rdx",
            "pop rax",
            "jmp 2b",
            "4:",
            ".cfi_restore_state",
            // As it was: nothing was found in its place.
            "pop rbp",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_restore rbp",
            "jmp r11",
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
