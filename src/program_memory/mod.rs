//! The program's memory: what the arguments of its calls lead to.
//!
//! The kernel copies arguments when a call begins. A program may take them away, or use their memory for something else, as soon as
//! somebody knows that the call has begun: another thread, while the call waits or just before it returns; or the call itself, which
//! reads into the memory. So what is needed of them is read before the call, as far as it can be read.
//!
//! ```text
//! image       the program's own image: it stays
//! own_stack   the stack that was made for the calling thread: it cannot go
//! heap        the C library's heap: it can go only where there are other threads
//! given       paths and addresses, kept over a call
//! ```

pub mod given;
pub mod heap;
mod image;
pub mod own_stack;

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;

use libc::{iovec, mmsghdr, msghdr, timespec, timeval};

use crate::sys::{self, rooms::with_room_if_possible};
use crate::thread;

/// What is read from the program's memory.
///
/// # Safety
/// Any bytes are a valid value.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        // SAFETY: numbers, and pointers that nobody takes for good.
        unsafe impl Plain for $type {}
    )*};
}

plain!(
    c_int, [c_int; 2], [c_int; 7], u64, iovec, msghdr, mmsghdr, timespec, timeval
);

/// How far the program's memory can be relied on.
#[derive(Clone, Copy)]
enum When {
    /// The kernel has not read it yet.
    Before,
    /// The kernel has just read or written it. In a sealed process, where it cannot be asked, it is taken to be there still.
    After,
}

/// Copies what is there, up to the first page that cannot be read. Returns how many bytes. It takes a system call for some pages, but for
/// the thread's own stack and the program's image. In a sealed process, where the kernel cannot be asked, only those are read.
pub fn copy(from: usize, into: &mut [u8]) -> usize {
    copy_when(When::Before, from, into)
}

/// The value at an address; none where it cannot be read.
pub fn read<T: Plain>(from: *const T) -> Option<T> {
    read_when(When::Before, from)
}

/// The same of what the kernel has just read or written.
pub fn read_after<T: Plain>(from: *const T) -> Option<T> {
    read_when(When::After, from)
}

/// Calls `visit` with each element of an array. None where they cannot all be read.
pub fn each<T: Plain>(array: *const T, count: usize, visit: impl FnMut(T)) -> Option<()> {
    each_when(When::Before, array, count, visit)
}

/// The same of what the kernel has just read or written.
pub fn each_after<T: Plain>(array: *const T, count: usize, visit: impl FnMut(T)) -> Option<()> {
    each_when(When::After, array, count, visit)
}

/// Calls `work` with the text at an address that the kernel has just read, up to its NUL, or of a longer one so many bytes as there is room
/// for. None where it cannot be read.
pub fn with_text_after<R>(from: *const c_char, work: impl FnOnce(&[u8]) -> R) -> Option<R> {
    if sys::is_sealed() {
        // SAFETY: the kernel has just read it.
        return Some(work(unsafe { CStr::from_ptr(from) }.to_bytes()));
    }
    with_room_if_possible(|room: *mut [u8; ROOM]| {
        // SAFETY: the room is this call's, and zeroed.
        let room = unsafe { &mut *room };
        let copied = copy(from.addr(), room);
        let length = room[..copied].iter().position(|&byte| byte == 0);
        match length {
            None if copied < room.len() => None,
            length => Some(work(&room[..length.unwrap_or(copied)])),
        }
    })?
}

/// How many bytes a room has ([`with_room_if_possible`]).
const ROOM: usize = 512;

#[inline(always)]
fn read_when<T: Plain>(when: When, from: *const T) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: as long as the value, which any bytes make; nobody reads it before all are written.
    let bytes =
        unsafe { std::slice::from_raw_parts_mut(value.as_mut_ptr().cast(), size_of::<T>()) };
    let is_whole = copy_when(when, from.addr(), bytes) == size_of::<T>();
    // SAFETY: all bytes have been written, and any are a value.
    is_whole.then(|| unsafe { value.assume_init() })
}

#[inline(always)]
fn each_when<T: Plain>(
    when: When,
    array: *const T,
    count: usize,
    mut visit: impl FnMut(T),
) -> Option<()> {
    let start = array.addr();
    let bytes = count.checked_mul(size_of::<T>())?;
    if is_certain(when, start, start.checked_add(bytes)?) {
        for index in 0..count {
            // SAFETY: it can be read; the read needs no alignment.
            visit(unsafe { array.add(index).read_unaligned() });
        }
        return Some(());
    }
    with_room_if_possible(|room: *mut [u8; ROOM]| {
        // SAFETY: the room is this call's, and zeroed.
        let room = unsafe { &mut *room };
        let at_once = ROOM / size_of::<T>() * size_of::<T>();
        for done in (0..bytes).step_by(at_once) {
            let part = &mut room[..at_once.min(bytes - done)];
            if copy_uncertain(start + done, part) < part.len() {
                return None;
            }
            for element in part.chunks_exact(size_of::<T>()) {
                // SAFETY: so many bytes, and any are a value.
                visit(unsafe { element.as_ptr().cast::<T>().read_unaligned() });
            }
        }
        Some(())
    })?
}

#[inline(never)]
fn copy_when(when: When, from: usize, into: &mut [u8]) -> usize {
    let certain = match when {
        When::After if sys::is_sealed() => into.len(),
        _ => stays_until(from).map_or(0, |end| (end - from).min(into.len())),
    };
    // Mostly all or nothing. Then this function's frame does not stay, because the stack may be small.
    if certain == 0 {
        return copy_uncertain(from, into);
    }
    // SAFETY: it can be read, and the two are apart.
    unsafe {
        let from = ptr::with_exposed_provenance::<u8>(from);
        from.copy_to_nonoverlapping(into.as_mut_ptr(), certain);
    }
    if certain == into.len() {
        return certain;
    }
    certain + copy_uncertain(from + certain, &mut into[certain..])
}

/// Copies what may not be there. The kernel copies what another thread may take away in this moment. Of the rest it says what can be
/// read, which is faster. So it is where the kernel does not copy: there, memory may go in between.
#[inline(never)]
fn copy_uncertain(from: usize, into: &mut [u8]) -> usize {
    let Some(end) = from.checked_add(into.len()) else {
        return 0;
    };
    if sys::can_peek()
        && !heap::has(from, end)
        && let Some(copied) = sys::peek_at(from, into)
    {
        return copied;
    }
    copy_asked(from, into)
}

#[inline(never)]
fn copy_asked(from: usize, into: &mut [u8]) -> usize {
    let Some(_allowed) = sys::allowed() else {
        return 0;
    };
    let page = sys::page_bytes();
    let mut done = 0;
    while done < into.len() {
        let at = ptr::with_exposed_provenance::<u8>(from + done);
        if !sys::is_readable(at.cast(), 1) {
            break;
        }
        let count = (page - at.addr() % page).min(into.len() - done);
        // SAFETY: its page can be read, and the two are apart.
        unsafe { at.copy_to_nonoverlapping(into[done..].as_mut_ptr(), count) };
        done += count;
    }
    done
}

fn is_certain(when: When, from: usize, end: usize) -> bool {
    match when {
        When::After if sys::is_sealed() => true,
        _ => stays_until(from).is_some_and(|last| end <= last),
    }
}

/// Up to which address memory stays for as long as the call: frames of the calling thread, or the program's image.
fn stays_until(from: usize) -> Option<usize> {
    let stack_pointer = thread::stack_pointer();
    let own_stack = own_stack::end(stack_pointer);
    own_stack
        .filter(|&end| (stack_pointer..end).contains(&from))
        .or_else(|| image::end_from(from))
}

/// Finds out what cannot be found out in a sealed process.
pub fn prepare() {
    own_stack::prepare();
    sys::try_to_peek();
}
