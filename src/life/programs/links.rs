//! The libraries that a 64-bit program is linked against: whether one of them must be loaded first.
//!
//! Fields that make no sense count as if they were missing.

use super::{HEAD, OF_64_BITS, word};
use crate::sys::looking::Looked;

/// The size in bytes of an entry of the dynamic section: a tag and a value.
const ENTRY: usize = 16;
/// The most bytes that are read of a dynamic section; no program has more.
const MOST_BYTES: u64 = 8192;
/// Tags of entries (elf(5)).
const END: u64 = 0;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;

/// The names that gcc and clang give to AddressSanitizer's library.
const FIRST: [&[u8]; 2] = [b"libasan.", b"libclang_rt.asan"];
/// The length of the longest of these names in bytes.
const NAME: usize = 16;

/// Whether a program is linked against a library that must be loaded first. `headers` is the offset of its program
/// headers in the file, `count` is their number. The buffer is overwritten.
#[inline(never)]
pub fn must_be_first(file: &Looked, headers: u64, count: u64, buffer: &mut [u8; HEAD]) -> bool {
    links(file, headers, count, buffer).unwrap_or(false)
}

fn links(file: &Looked, headers: u64, count: u64, buffer: &mut [u8; HEAD]) -> Option<bool> {
    let header = |part: &[u8], at: usize| word(part, at, 8);
    let is = |part: &[u8], kind: u32| word(part, 0, 4) == u64::from(kind);
    let each_header = |buffer: &mut [u8; HEAD], look: &mut dyn FnMut(&[u8]) -> bool| {
        let bytes = count * OF_64_BITS.header as u64;
        each(file, headers, bytes, OF_64_BITS.header, buffer, look)
    };
    let mut section = None;
    each_header(buffer, &mut |part| {
        if is(part, libc::PT_DYNAMIC) {
            section = Some((
                header(part, OF_64_BITS.offset),
                header(part, OF_64_BITS.bytes),
            ));
        }
        section.is_some()
    })?;
    let (place, bytes) = section?;
    let bytes = bytes.min(MOST_BYTES);
    let mut strings = None;
    each(file, place, bytes, ENTRY, buffer, &mut |entry| {
        let tag = word(entry, 0, 8);
        if tag == STRINGS {
            strings = Some(word(entry, 8, 8));
        }
        tag == END || strings.is_some()
    })?;
    let address = strings?;
    let mut strings = None;
    each_header(buffer, &mut |part| {
        // The address in memory is the word after the offset in the file.
        let within = address.checked_sub(header(part, OF_64_BITS.offset + 8));
        let within = within.filter(|&within| within < header(part, OF_64_BITS.bytes));
        if is(part, libc::PT_LOAD) {
            strings = within.and_then(|within| within.checked_add(header(part, OF_64_BITS.offset)));
        }
        strings.is_some()
    })?;
    let strings = strings?;
    let mut found = false;
    each(file, place, bytes, ENTRY, buffer, &mut |entry| {
        let tag = word(entry, 0, 8);
        if tag == NEEDED {
            let mut name = [0; NAME];
            let read = strings
                .checked_add(word(entry, 8, 8))
                .and_then(|at| file.read_at(at, &mut name));
            let name = &name[..read.unwrap_or(0)];
            found = FIRST.iter().any(|first| name.starts_with(first));
        }
        tag == END || found
    })?;
    Some(found)
}

/// Calls `look` with each element of a table, until `look` returns true. `place` is the table's offset in the file;
/// `bytes` is its size, and `size` is that of an element, in bytes. `None` if the table cannot be read.
fn each(
    file: &Looked,
    place: u64,
    bytes: u64,
    size: usize,
    buffer: &mut [u8; HEAD],
    look: &mut dyn FnMut(&[u8]) -> bool,
) -> Option<()> {
    let step = HEAD / size * size;
    let mut at = 0;
    while at + size as u64 <= bytes {
        let read = file.read_at(place.checked_add(at)?, &mut buffer[..step])?;
        let rest = usize::try_from(bytes - at).unwrap_or(step);
        let parts = buffer[..read.min(rest)].chunks_exact(size);
        if parts.len() == 0 {
            return None;
        }
        at += (parts.len() * size) as u64;
        for part in parts {
            if look(part) {
                return Some(());
            }
        }
    }
    Some(())
}
