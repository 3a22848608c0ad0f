//! The program's memory: what the arguments of its calls lead to.
//!
//! The kernel copies arguments when a call begins. A program may take them away, or use their memory for something else, as soon as
//! somebody knows that the call has begun: another thread, while the call waits or just before it returns; or the call itself, which
//! reads into the memory. So what is needed of them is read before the call, as far as it can be read.
//!
//! ```text
//! image       the program's own image: it stays
//! own_stack   the stack that was made for the calling thread: it cannot go
//! given       paths and addresses, kept over a call
//! ```

pub mod given;
mod image;
pub mod own_stack;

use std::ptr;

use crate::{sys, thread};

/// Whether so many bytes can be read now. It takes a system call for each page, but for the thread's own stack and the program's image. In a
/// sealed process, where the kernel cannot be asked, only those can.
pub fn can_be_read<T>(from: *const T, bytes: usize) -> bool {
    let from = from.addr();
    let Some(end) = from.checked_add(bytes) else {
        return false;
    };
    if stays(from, end) {
        return true;
    }
    if sys::is_sealed() {
        return false;
    }
    let page = sys::page_bytes();
    let pages = (from & !(page - 1)..end).step_by(page);
    pages
        .map(|at| at.max(from))
        .all(|at| sys::is_readable(ptr::without_provenance(at), 1))
}

/// The same of what the kernel has just read or written. In a sealed process it is taken for granted.
pub fn is_still_there<T>(from: *const T, bytes: usize) -> bool {
    sys::is_sealed() || can_be_read(from, bytes)
}

/// Whether memory is there for as long as the call: frames of the calling thread, or the program's image.
fn stays(from: usize, end: usize) -> bool {
    let stack_pointer = thread::stack_pointer();
    let is_on_own_stack =
        from >= stack_pointer && own_stack::end(stack_pointer).is_some_and(|last| end <= last);
    is_on_own_stack || image::has(from, end)
}
