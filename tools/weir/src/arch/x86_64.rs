//! x86-64 (System V ABI, AMD64 supplement).

use std::arch::asm;
use std::ffi::c_void;

use object::elf;

/// The number of the machine in the head of an executable file.
pub const MACHINE: elf::Machine = elf::EM_X86_64;
/// The GNU C library's dynamic linker, as programs name it.
pub const DYNAMIC_LINKER: &str = "/lib64/ld-linux-x86-64.so.2";
/// The same as a library.
pub const DYNAMIC_LINKER_NAME: &str = "ld-linux-x86-64.so.2";
/// The version of the symbols of the first GNU C library for this machine. All later ones have it too.
pub const FIRST_VERSION: &str = "GLIBC_2.2.5";
/// What the dynamic linker puts in the place of `$PLATFORM`.
pub const PLATFORM: &str = "x86_64";
/// What it may put in the place of `$LIB`.
pub const LIB: [&str; 3] = ["lib/x86_64-linux-gnu", "lib64", "lib"];
/// Where libraries are when nobody says where.
pub const DEFAULT_PLACES: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];
/// How the list of the system's libraries marks one for the GNU C library on this machine (FLAG_ELF_LIBC6, FLAG_X8664_LIB64).
pub const CACHE_FLAGS: u32 = 0x0303;

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
