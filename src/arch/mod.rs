//! What depends on the processor: all assembly of the library, and what it knows of the machine.
//!
//! There is a file, and a folder beside it, for each architecture, with items of the same names. A caller sees one of
//! them, and does not know which.
//!
//! ```text
//! (the file)    system calls, the thread's pointer and state, other stacks, the machine's numbers
//! freestanding  what compiled Rust takes from the C library otherwise
//! framed        entries that call a function from a frame which says where the program is
//! hooks         bodies of naked functions: variable arguments, calls passed on by a jump, children
//! unwinding     registers by their numbers in unwind information, and where the kernel keeps them
//! ```

use std::num::NonZeroUsize;

use libc::c_int;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

/// What unwinding a stack goes by: a place in a function, and what some registers are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// The return address that leads there.
    pub return_address: usize,
    /// The stack pointer.
    pub stack_pointer: usize,
    /// The frame pointer register, whatever it is used for.
    pub frame_pointer: usize,
    /// The register for a return address that has not been stored; 0 where the processor has none, or it is not known.
    pub link: usize,
}

/// What the body of a hook with variable arguments answers: a result, or where the hook is to go on. It is in two registers.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Answer {
    result: usize,
    jump: usize,
}

impl Answer {
    /// The hook returns this.
    pub fn result(result: c_int) -> Answer {
        Answer {
            result: result as usize,
            jump: 0,
        }
    }

    /// The hook jumps there, with its arguments.
    pub fn jump(to: NonZeroUsize) -> Answer {
        Answer {
            result: 0,
            jump: to.get(),
        }
    }
}

/// Keeps the linker from exporting a symbol of its own making.
macro_rules! hidden {
    ($name:literal) => {
        ::std::arch::global_asm!(concat!(".hidden ", $name));
    };
}
pub(crate) use hidden;
