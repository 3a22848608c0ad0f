//! What weir does without memory. Rust would end it by SIGABRT, with a program that goes on unwatched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{self, Write};
use std::sync::OnceLock;

use libc::c_int;

use crate::exit_code;

/// The C library's allocator. It never returns null: weir ends instead.
struct OrEnd;

#[global_allocator]
static ALLOCATOR: OrEnd = OrEnd;

// SAFETY: all is done by `System`, with the arguments that this was given; what returns is not null.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        had(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        had(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        had(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn had(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        end(size);
    }
    block
}

static INSTEAD: OnceLock<fn(usize) -> !> = OnceLock::new();

/// From now on `end` is called where there is no memory, with the number of bytes that were asked for. It must not allocate.
pub fn end_by(end: fn(usize) -> !) {
    // Whoever sets it, sets the same.
    let _ = INSTEAD.set(end);
}

#[cold]
fn end(size: usize) -> ! {
    if let Some(end) = INSTEAD.get() {
        end(size);
    }
    complain(format_args!(
        "not enough memory: {size} bytes more are needed; raise the limit on memory (ulimit -d, -v)"
    ));
    // SAFETY: ends the process; nothing else of it is run.
    unsafe { libc::_exit(c_int::from(exit_code::WEIR_FAILED)) }
}

/// Says on standard error what is wrong, in one line, without memory.
pub fn complain(message: fmt::Arguments<'_>) {
    let mut line = Line::new();
    // What does not fit is left out.
    let _ = writeln!(line, "weir: {message}");
    let line = line.bytes();
    // SAFETY: as many bytes as there are. Where standard error is gone, the exit code has to do.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// Text on the stack.
pub struct Line {
    text: [u8; 512],
    length: usize,
}

impl Line {
    /// An empty one.
    pub fn new() -> Line {
        Line {
            text: [0; 512],
            length: 0,
        }
    }

    /// What has been written to it.
    pub fn bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.text[self.length..];
        let taken = text.len().min(room.len());
        room[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        if taken < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}
