//! The arrays that the program passes to writev and sendmsg.

use std::ffi::c_void;
use std::mem::offset_of;

use libc::{iovec, size_t};

use crate::sys::rooms::with_room_for;
use crate::sys::{self, Memory};

/// An array of the program, which may be invalid.
#[derive(Clone, Copy)]
pub struct Vector {
    /// Its address.
    pub array: *const iovec,
    /// How many elements it has.
    pub count: usize,
}

impl Vector {
    /// The most elements that it may have (UIO_MAXIOV).
    pub const MOST: usize = 1024;

    /// Finds the byte after the first `done` bytes. Returns its address, and how many bytes of its element follow from
    /// there. `None` if there is no such byte.
    ///
    /// # Safety
    /// The kernel has read the array.
    #[inline(never)]
    pub unsafe fn rest_after(self, done: size_t) -> Option<(*mut c_void, size_t)> {
        let mut before = 0;
        for index in 0..self.count {
            // SAFETY: the caller guarantees the array; the read needs no alignment.
            let element = unsafe { self.array.add(index).read_unaligned() };
            if done - before < element.iov_len {
                let at = done - before;
                // SAFETY: `at` is less than the element's length.
                let from = unsafe { element.iov_base.byte_add(at) };
                return Some((from, element.iov_len - at));
            }
            before += element.iov_len;
        }
        None
    }

    /// The sum of the elements' lengths, in bytes.
    ///
    /// # Safety
    /// The kernel has read the array.
    #[inline(never)]
    pub unsafe fn size(self) -> size_t {
        (0..self.count).fold(0, |sum: size_t, index| {
            // SAFETY: the caller guarantees the array; the read needs no alignment.
            let element = unsafe { self.array.add(index).read_unaligned() };
            sum.saturating_add(element.iov_len)
        })
    }

    /// Calls `write` once, for `size` bytes after the first `done` bytes. One call, because the reader may see the
    /// borders of writes. If the bytes are in several elements, this needs memory for a new array. Without that memory
    /// it writes fewer bytes.
    ///
    /// # Safety
    /// The array can be read.
    #[inline(never)]
    pub unsafe fn write_some<T>(
        self,
        done: size_t,
        size: size_t,
        write: impl FnOnce(Vector) -> T,
    ) -> Option<T> {
        // SAFETY: the caller guarantees it.
        let (from, left) = unsafe { self.rest_after(done) }?;
        let first = iovec {
            iov_base: from,
            iov_len: left.min(size),
        };
        let alone = Vector {
            array: &raw const first,
            count: 1,
        };
        if left >= size {
            return Some(write(alone));
        }
        let Some(memory) = Memory::new(self.count * size_of::<iovec>()) else {
            return Some(write(alone));
        };
        let parts = memory.start().cast::<iovec>();
        let (mut count, mut taken) = (0, 0);
        while taken < size {
            // SAFETY: the caller guarantees it.
            let Some((from, left)) = (unsafe { self.rest_after(done + taken) }) else {
                break;
            };
            let part = iovec {
                iov_base: from,
                iov_len: left.min(size - taken),
            };
            // SAFETY: `count` is less than the number of the array's elements, for which there is memory.
            unsafe { parts.add(count).write(part) };
            count += 1;
            taken += part.iov_len;
        }
        Some(write(Vector {
            array: parts,
            count,
        }))
    }

    /// The sum of the elements' lengths in bytes; `None` if the array cannot be read. The kernel has not read the array
    /// yet, so this reads it through the kernel.
    #[inline(never)]
    pub fn checked_size(self) -> Option<size_t> {
        const ELEMENT: usize = size_of::<iovec>();
        const AT_ONCE: usize = 32;
        with_room_for(|copies: *mut [u8; AT_ONCE * ELEMENT]| {
            // SAFETY: any bytes are valid, also zeroes.
            let copies = unsafe { &mut *copies };
            let mut sum: size_t = 0;
            let mut index = 0;
            while index < self.count {
                let bytes = ((self.count - index) * ELEMENT).min(copies.len());
                let part = iovec {
                    iov_base: self.array.wrapping_add(index).cast_mut().cast(),
                    iov_len: bytes,
                };
                if sys::peek(&[part], &mut copies[..bytes])? < bytes {
                    return None;
                }
                for copy in copies[..bytes].chunks_exact(ELEMENT) {
                    let length = copy[offset_of!(iovec, iov_len)..].first_chunk()?;
                    sum = sum.saturating_add(size_t::from_ne_bytes(*length));
                }
                index += bytes / ELEMENT;
            }
            Some(sum)
        })
    }
}
