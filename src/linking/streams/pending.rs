//! The streams for which the C library will still ask the kernel when the process ends: it empties the buffers of all
//! streams after every handler of exit, including ours.
//!
//! It goes through its list of streams twice. First it writes what is pending. Then it removes each stream's buffer,
//! and moves the file's offset back to what was not read (glibc, libio/genops.c: `_IO_flush_all_lockp`, then
//! `_IO_unbuffer_all`). Other threads may close streams meanwhile. So this module reads the list through the kernel,
//! which fails for memory that is not mapped.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{FILE, iovec};

use super::{Inside, Table};
use crate::linking::entries;
use crate::sys;

/// The address of the head of the C library's list of streams.
static LIST: AtomicPtr<*mut FILE> = AtomicPtr::new(ptr::null_mut());

/// The limit on the streams that are visited: a faulty program may have made the list a ring.
const MOST: usize = 65_536;

const UNBUFFERED: i32 = 0x2;

/// Stores the address of the list.
pub(super) fn set_list(list: *mut c_void) {
    LIST.store(list.cast(), Ordering::Relaxed);
}

/// The first fields of the C library's data for a stream's wide characters (libio/libio.h, `struct _IO_wide_data`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Wide {
    read_at: usize,
    read_end: usize,
    read_base: usize,
    write_base: usize,
    write_at: usize,
}

/// Of all streams except `but`: the one for which the C library makes the last system call when it empties all
/// buffers. `None` if it makes none, or if that is not known.
pub fn last_to_ask(but: *mut FILE) -> Option<*mut FILE> {
    let (mut last_written, mut last_put_back) = (None, None);
    let mut known_table = ptr::null();
    // SAFETY: the head of a list, for which any bytes are valid.
    let mut next: *mut FILE = unsafe { copy(LIST.load(Ordering::Relaxed)) }?;
    for _ in 0..MOST {
        if next.is_null() {
            break;
        }
        let stream = next;
        // SAFETY: as above: numbers and addresses.
        let inside: Inside = unsafe { copy(stream.cast()) }?;
        next = inside.chain.cast();
        if stream == but || !is_seen(inside.table, &mut known_table) {
            continue;
        }
        let Some((is_written, is_put_back)) = asks(&inside) else {
            continue;
        };
        if is_written {
            last_written = Some(stream);
        }
        if is_put_back {
            last_put_back = Some(stream);
        }
    }
    last_put_back.or(last_written)
}

/// Whether a stream has bytes to write, and whether it has bytes that were not read and make the C library move the
/// offset back. `None` if that cannot be read.
fn asks(inside: &Inside) -> Option<(bool, bool)> {
    let mode = inside.mode;
    let (written, unread) = if mode > 0 {
        // SAFETY: the fields are numbers, for which any bytes are valid.
        let wide: Wide = unsafe { copy(inside.wide.cast()) }?;
        (
            wide.write_at > wide.write_base,
            wide.read_at != wide.read_end,
        )
    } else {
        let [read_at, read_end, _, write_base, write_at, ..] = inside.pointers;
        (write_at > write_base, read_at != read_end)
    };
    // A stream that was never used has no buffer to remove.
    let is_taken_away = mode != 0 && inside.flags & UNBUFFERED == 0;
    Some((written, unread && is_taken_away))
}

/// Whether a table contains our functions. `known` caches the last table that does.
fn is_seen(table: *const Table, known: &mut *const Table) -> bool {
    if table.is_null() || table == *known {
        return !table.is_null();
    }
    // SAFETY: the words are numbers, for which any bytes are valid.
    let places: Option<[usize; 19]> = unsafe { copy(table.cast()) };
    let is_seen = places.is_some_and(|places| {
        let [_, write, seek, ..] = entries::stdio();
        places[15] == write && places[16] == seek
    });
    if is_seen {
        *known = table;
    }
    is_seen
}

/// A copy of the value at this address. `None` if it cannot be read.
///
/// # Safety
/// Any bytes are a valid `T`.
unsafe fn copy<T: Copy>(from: *const T) -> Option<T> {
    if from.is_null() {
        return None;
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    let part = iovec {
        iov_base: from.cast_mut().cast(),
        iov_len: size_of::<T>(),
    };
    // SAFETY: as long as `copy`, and zeroed.
    let into =
        unsafe { std::slice::from_raw_parts_mut(copy.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    let is_whole = sys::peek(&[part], into)? == size_of::<T>();
    // SAFETY: all bytes have been written, and any bytes are a `T`, as the caller promises.
    is_whole.then(|| unsafe { copy.assume_init() })
}
