//! x86-64 (System V ABI, AMD64 supplement).

use std::arch::{asm, global_asm, naked_asm};
use std::ffi::c_void;

pub mod framed;
#[cfg(not(test))]
mod freestanding;
mod hooks;
pub mod numbers;
pub mod unwinding;

#[cfg(not(test))]
pub(crate) use freestanding::*;
pub(crate) use hooks::*;

/// The number of the machine in the head of an executable file (elf.h).
pub const MACHINE: u16 = libc::EM_X86_64;
/// The machine whose programs the kernel executes, too.
pub const COMPATIBLE_MACHINE: u16 = libc::EM_386;

/// Addresses of programs have at most so many bits, unless a program asks for more (Documentation/arch/x86/x86_64/mm.rst of the kernel).
pub const ADDRESS_BITS: u32 = 47;

/// The kernel's own function for its clocks (vdso(7)).
pub const CLOCK_FUNCTION: &[u8] = b"__vdso_clock_gettime";

/// The largest page that the kernel may have.
pub const LARGEST_PAGE: usize = 4096;

/// Begins where a page does, however large that is.
#[repr(C, align(4096))]
pub struct PageAligned<T>(pub T);

/// A system call. Less than 0 is the number of an error, negated.
///
/// # Safety
/// As the kernel has it.
#[inline(always)]
pub unsafe fn system_call(number: i64, arguments: [usize; 5]) -> isize {
    let [a, b, c, d, e] = arguments;
    let result;
    // SAFETY: the kernel's convention (syscall(2)): these registers, and rcx and r11 are lost. What the call
    // does is the caller's to answer for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            in("r8") e,
            in("r9") 0,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// What of the events of one entry is so at this moment (poll(2)).
///
/// # Safety
/// The entry may be written.
pub unsafe fn poll_now(entry: *mut libc::pollfd) {
    // SAFETY: one entry, which the kernel may write.
    unsafe { system_call(libc::SYS_poll, [entry.addr(), 1, 0, 0, 0]) };
}

/// Whether the calling thread has a thread area of the C library's, whose first and third word lead to itself.
#[inline(always)]
pub fn has_thread_area() -> bool {
    let (first, third): (usize, usize);
    // SAFETY: reads two words of the thread area, which every hook has read from.
    unsafe {
        asm!(
            "mov {first}, qword ptr fs:[0]",
            "mov {third}, qword ptr fs:[16]",
            first = out(reg) first,
            third = out(reg) third,
            options(readonly, nostack, preserves_flags),
        );
    }
    first != 0 && first == third
}

/// How the calling thread calculates with floating point, and what has happened while it did (MXCSR; AMD64 manual volume 1,
/// 4.2.2). The x87 unit has a state of its own, which no code of ours touches.
pub struct FloatState(u32);

impl FloatState {
    /// All exceptions masked, none raised, rounding to nearest: as a program starts.
    const INITIAL: u32 = 0x1f80;

    /// Takes it from the thread, which then calculates as a program does at its start.
    #[inline(always)]
    pub fn take() -> FloatState {
        let (mut state, initial) = (0, Self::INITIAL);
        // SAFETY: they write and read a word of our own. Rust's own arithmetic expects this state.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags));
            asm!("ldmxcsr [{}]", in(reg) &raw const initial, options(nostack, preserves_flags));
        }
        FloatState(state)
    }

    /// Gives it back.
    #[inline(always)]
    pub fn give_back(self) {
        // SAFETY: it reads a word of our own, which the processor has given.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const self.0, options(nostack, preserves_flags));
        }
    }
}

/// Calls `call(argument)` on the stack that ends at `top`.
///
/// # Safety
/// `top` is the end of a stack that nobody else is on, and a multiple of 16. `call` takes the argument, and unwinds into
/// nothing.
#[inline(always)]
pub unsafe fn call_on_stack(
    top: *mut c_void,
    call: extern "C" fn(*mut c_void),
    argument: *mut c_void,
) {
    // SAFETY: the stack is there, as the caller promises. `call` keeps r12, returns, and does not unwind out of an
    // `extern "C"` function.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {call}",
            "mov rsp, r12",
            out("r12") _,
            top = in(reg) top,
            call = in(reg) call,
            in("rdi") argument,
            clobber_abi("C"),
        );
    }
}

// The state of a thread, which `thread.rs` describes.
global_asm!(
    ".pushsection .tbss.weir_thread_state,\"awT\",@nobits",
    ".balign 64",
    ".globl weir_thread_state",
    ".hidden weir_thread_state",
    ".type weir_thread_state, @object",
    ".size weir_thread_state, 64",
    "weir_thread_state:",
    ".zero 64",
    ".popsection",
);
/// Bytes of a thread's state.
pub const THREAD_STATE_BYTES: usize = 64;

/// The first word of the calling thread's state.
#[inline(always)]
pub fn first_of_thread_state() -> usize {
    let word: usize;
    // SAFETY: reads the first word of this thread's state. The offset is in the global offset table because the library has
    // static thread-local storage.
    unsafe {
        asm!(
            "mov {word}, qword ptr [rip + weir_thread_state@GOTTPOFF]",
            "mov {word}, qword ptr fs:[{word}]",
            word = out(reg) word,
            options(readonly, nostack, preserves_flags),
        );
    }
    word
}

/// Whether a word has a bit set that the first word of the static `mask` has, too.
macro_rules! shares_bits {
    ($word:expr, $mask:path) => {{
        let word: usize = $word;
        let shares = || {
            // SAFETY: reads the static's first word, which is an atomic: an aligned 8-byte load is what a relaxed one compiles to.
            unsafe {
                // The compiler would load the mask by an instruction of its own.
                ::std::arch::asm!(
                    "test qword ptr [rip + {mask}], {word}",
                    "jz {none}",
                    mask = sym $mask,
                    word = in(reg) word,
                    none = label { return false },
                    options(readonly, nostack),
                );
            }
            true
        };
        shares()
    }};
}
pub(crate) use shares_bits;

/// The calling thread's state.
#[inline(always)]
pub fn thread_state() -> *mut c_void {
    let state: *mut c_void;
    // SAFETY: computes an address: the thread pointer, which stands at fs:0 (ELF Handling For Thread-Local Storage,
    // section 4.4.6), and the offset.
    unsafe {
        asm!(
            "mov {state}, qword ptr fs:[0]",
            "add {state}, qword ptr [rip + weir_thread_state@GOTTPOFF]",
            state = out(reg) state,
            options(readonly, nostack),
        );
    }
    state
}

/// Where the calling thread's stack is.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Has the processor fetch what stands there.
#[inline(always)]
pub fn prefetch<T>(place: *const T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint, which reads nothing, and may be of any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
}

/// What the kernel says that the processor has (`AT_HWCAP`) makes no difference here.
pub fn use_features(_: u64) {}

/// Has the standard library ask the processor what it is, which it does once, and remembers: the code that writes a report
/// may want to know when nobody may ask any more.
pub fn remember_processor() {
    let _ = std::arch::is_x86_feature_detected!("avx2");
}

/// Calls `call(work)`; before it, stores where the stack is. 0, or what [`go_back`] was given.
///
/// # Safety
/// `call` takes `work`, and unwinds into nothing; `way_out` can be written to.
#[unsafe(naked)]
pub unsafe extern "C" fn go(
    work: *mut c_void,
    call: extern "C" fn(*mut c_void),
    way_out: *mut usize,
) -> usize {
    naked_asm!(
        // What a function must keep (System V ABI for x86-64), and the stack at a multiple of 16.
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdx], rsp",
        "call rsi",
        "xor esi, esi",
        "mov rdi, rsp",
        "jmp {go_back}",
        go_back = sym go_back,
    )
}

/// Returns from [`go`], with this result.
///
/// # Safety
/// `way_out` is what a call of `go` has stored, which is in progress on this thread.
#[unsafe(naked)]
pub unsafe extern "C" fn go_back(way_out: usize, result: usize) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "mov rax, rsi",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

/// Whether the byte at a place of a table is not 0.
///
/// # Safety
/// The table has the place, and is written by relaxed atomic accesses only.
#[inline(always)]
pub unsafe fn is_set(table: *const u8, place: usize) -> bool {
    // SAFETY: a load of a byte is what a relaxed atomic one compiles to.
    unsafe {
        // One instruction: the compiler would load, and compare.
        asm!(
            "cmp byte ptr [{table} + {place}], 0",
            "jne {is_set}",
            table = in(reg) table,
            place = in(reg) place,
            is_set = label { return true },
            options(readonly, nostack),
        );
    }
    false
}
