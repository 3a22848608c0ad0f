//! Entries that call a function from a frame which says where the program is.

/// The code of so many entries behind the label `weir_framed_entries`, [`ENTRY_BYTES`] apart.
///
/// An entry has `$begin(call, entry)` fill in a `Call`, which returns a `Kind`, and calls the target with all arguments as they came,
/// which are in registers. Plainly: from the frame that it was itself called from. Otherwise behind the frame record of the `Call`; and
/// has `$end()` called after it, or lets it return through a [`RETURN`] elsewhere.
///
/// At such a [`RETURN`], unwind information may say that the frame takes more of the stack than that word, and that registers were stored
/// in it. So the entry has a frame ready, of as many bytes. An unwinder takes them, finds a return address at their end, and behind
/// them where the entry's own frame is, which has the registers.
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
            // From the stack pointer: a `Call`, and the registers of arguments. The last has how many are in vector registers, where
            // their number varies.
            "sub rsp, 128",
            ".cfi_adjust_cfa_offset 128",
            "mov [rsp + 64], rdi",
            "mov [rsp + 72], rsi",
            "mov [rsp + 80], rdx",
            "mov [rsp + 88], rcx",
            "mov [rsp + 96], r8",
            "mov [rsp + 104], r9",
            "mov [rsp + 112], rax",
            "mov r10, [rsp + 136]",
            "mov [rsp], r10",
            "lea r10, [rsp + 144]",
            "mov [rsp + 8], r10",
            "mov [rsp + 16], rbp",
            "mov qword ptr [rsp + 24], 0",
            "mov rdi, rsp",
            "mov rsi, r11",
            "call {begin}",
            "mov r10d, eax",
            "mov rdi, [rsp + 64]",
            "mov rsi, [rsp + 72]",
            "mov rdx, [rsp + 80]",
            "mov rcx, [rsp + 88]",
            "mov r8, [rsp + 96]",
            "mov r9, [rsp + 104]",
            "mov rax, [rsp + 112]",
            "mov r11, [rsp + 32]",
            "test r10d, r10d",
            "jz 6f",
            "lea rbp, [rsp + 48]",
            "cmp r10d, 2",
            "je 3f",
            "ja 4f",
            "call r11",
            "2:",
            ".cfi_remember_state",
            "mov rbp, [rsp + 128]",
            "add rsp, 136",
            ".cfi_def_cfa_offset 8",
            ".cfi_restore rbp",
            "ret",
            "3:",
            ".cfi_restore_state",
            ".cfi_remember_state",
            "call r11",
            "mov [rsp + 64], rax",
            "mov [rsp + 72], rdx",
            "call {end}",
            "mov rax, [rsp + 64]",
            "mov rdx, [rsp + 72]",
            "jmp 2b",
            "4:",
            "cmp r10d, 3",
            "ja 7f",
            "mov r10, [rsp + 40]",
            "sub rsp, 8",
            ".cfi_adjust_cfa_offset 8",
            // The `ret` elsewhere returns to behind this instruction.
            "call 5f",
            "add rsp, 8",
            ".cfi_adjust_cfa_offset -8",
            "jmp 2b",
            "5:",
            ".cfi_adjust_cfa_offset 16",
            "push r10",
            ".cfi_adjust_cfa_offset 8",
            "jmp r11",
            "6:",
            ".cfi_restore_state",
            ".cfi_remember_state",
            "mov rbp, [rsp + 128]",
            "add rsp, 136",
            ".cfi_def_cfa_offset 8",
            ".cfi_restore rbp",
            "jmp r11",
            "7:",
            ".cfi_restore_state",
            // From the stack pointer: what the `RETURN` takes, what an unwinder takes there, and the registers that a function keeps.
            "sub rsp, {behind}",
            ".cfi_adjust_cfa_offset {behind}",
            "mov [rsp + {kept}], rbx",
            "mov [rsp + {kept} + 8], r12",
            "mov [rsp + {kept} + 16], r13",
            "mov [rsp + {kept} + 24], r14",
            "mov [rsp + {kept} + 32], r15",
            // The frame pointer's record, where an unwinder goes by that: the return address is written behind it.
            "mov rax, [rsp + {behind} + 48]",
            "mov [rsp + 8], rax",
            "lea rbp, [rsp + 8]",
            "mov rax, [rsp + {behind} + 56]",
            "add rax, rsp",
            // Both the processor and an unwinder come to the same place, by different ways.
            "lea r10, [rip + 8f]",
            "mov [rsp], r10",
            "mov [rax - 8], r10",
            "lea r10, [rsp + {behind}]",
            "mov [rax], r10",
            "mov rax, [rsp + {behind} + 112]",
            "push qword ptr [rsp + {behind} + 40]",
            ".cfi_adjust_cfa_offset 8",
            "jmp r11",
            // What is said of a return address is about the instruction before it: for an unwinder, which has the word behind what it
            // took at its stack pointer. DW_CFA_def_cfa_expression: DW_OP_breg7 (rsp) 0, DW_OP_deref, DW_OP_plus_uconst 144.
            ".cfi_escape 0x0f, 6, 0x77, 0, 0x06, 0x23, 0x90, 0x01",
            ".cfi_offset rbx, {kept} - {behind} - 144",
            ".cfi_offset r12, {kept} - {behind} - 136",
            ".cfi_offset r13, {kept} - {behind} - 128",
            ".cfi_offset r14, {kept} - {behind} - 120",
            ".cfi_offset r15, {kept} - {behind} - 112",
            "nop",
            "8:",
            ".cfi_def_cfa rsp, {behind} + 136",
            ".cfi_restore rbx",
            ".cfi_restore r12",
            ".cfi_restore r13",
            ".cfi_restore r14",
            ".cfi_restore r15",
            "add rsp, {behind} - 8",
            ".cfi_adjust_cfa_offset 8 - {behind}",
            "jmp 2b",
            ".cfi_endproc",
            ".size weir_framed_entries, . - weir_framed_entries",
            ".popsection",
            count = const $count,
            behind = const $crate::arch::framed::BEHIND,
            kept = const $crate::arch::framed::MOST_BEHIND + 16,
            begin = sym $begin,
            end = sym $end,
        );
    };
}
pub(crate) use framed_entries;

/// The most bytes of the stack that an unwinder may take at a [`RETURN`]; 0 where it may take no other number than [`RETURN_TAKES`].
pub const MOST_BEHIND: usize = 480;
/// Room for them, for the word behind them, and for five registers; a multiple of 16.
pub const BEHIND: usize = MOST_BEHIND + 64;

/// Bytes from an entry to the next.
pub const ENTRY_BYTES: usize = 16;

/// Code that returns to the address on top of the stack.
pub const RETURN: &[u8] = b"\xc3";
/// Where such code may begin: at multiples of so many bytes.
pub const RETURN_ALIGN: usize = 1;
/// What the unwind information of such code says, if it is to be followed: how many bytes it takes from the stack, and whether the
/// frame pointer is among them, first.
pub const RETURN_TAKES: (i32, bool) = (8, false);
