//! The arrays that writev and sendmsg are given.

use std::ffi::c_void;
use std::mem::offset_of;

use libc::{iovec, size_t};

use crate::sys::rooms::with_room_for;
use crate::sys::{self, Memory};

/// An array of the program's, which may be a bad one.
#[derive(Clone, Copy)]
pub struct Vector {
    /// Where it is.
    pub array: *const iovec,
    /// How many elements it has.
    pub count: usize,
}

impl Vector {
    /// The most elements that it may have (UIO_MAXIOV).
    pub const MOST: usize = 1024;

    /// What is left of the element in which the byte after `done` is; none where all is done.
    ///
    /// # Safety
    /// The kernel has read the array.
    #[inline(never)]
    pub unsafe fn rest_after(self, done: size_t) -> Option<(*mut c_void, size_t)> {
        let mut before = 0;
        for index in 0..self.count {
            // SAFETY: as the caller promises, whatever the alignment.
            let element = unsafe { self.array.add(index).read_unaligned() };
            if done - before < element.iov_len {
                let at = done - before;
                // SAFETY: within the element.
                let from = unsafe { element.iov_base.byte_add(at) };
                return Some((from, element.iov_len - at));
            }
            before += element.iov_len;
        }
        None
    }

    /// How much it leads to.
    ///
    /// # Safety
    /// The kernel has read the array.
    #[inline(never)]
    pub unsafe fn size(self) -> size_t {
        (0..self.count).fold(0, |sum: size_t, index| {
            // SAFETY: as the caller promises, whatever the alignment.
            let element = unsafe { self.array.add(index).read_unaligned() };
            sum.saturating_add(element.iov_len)
        })
    }

    /// Has `write` write `size` bytes from the one after `done` on, by one call: whoever reads may be shown its borders. As
    /// many as there are parts of them it needs memory for; less is written where that cannot be had.
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
        // SAFETY: as the caller promises.
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
            // SAFETY: as the caller promises.
            let Some((from, left)) = (unsafe { self.rest_after(done + taken) }) else {
                break;
            };
            let part = iovec {
                iov_base: from,
                iov_len: left.min(size - taken),
            };
            // SAFETY: no more than there are elements in the array, for which there is memory.
            unsafe { parts.add(count).write(part) };
            count += 1;
            taken += part.iov_len;
        }
        Some(write(Vector {
            array: parts,
            count,
        }))
    }

    /// How much it leads to, where the array can be read: the kernel has not seen it yet.
    #[inline(never)]
    pub fn checked_size(self) -> Option<size_t> {
        const ELEMENT: usize = size_of::<iovec>();
        const AT_ONCE: usize = 32;
        with_room_for(|copies: *mut [u8; AT_ONCE * ELEMENT]| {
            // SAFETY: zeroes are bytes.
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
