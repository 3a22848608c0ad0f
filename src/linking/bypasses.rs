//! Objects that call the allocator behind ours directly.
//!
//! A library that was loaded with `RTLD_DEEPBIND` is bound to the C library's functions, not to ours. What it
//! allocates is not counted. What it frees of ours looks live until the end. So the report names the library.
//!
//! The search runs when the image ends, over the objects that were loaded after the start. An object calls other
//! objects through its procedure linkage part of the global offset table (System V ABI). The search looks for the
//! address of the allocator behind ours there. It reads every word through the kernel, because another thread may
//! unload the object. A word that is not bound yet points into the object itself.

use std::mem::size_of;
use std::sync::atomic::Ordering;

use weir_record::functions::Function;
use weir_record::region::Header;

use crate::linking::{next, objects};
use crate::sys;

/// The functions that allocate and free blocks.
const ALLOCATOR: [Function; 4] = [
    Function::Malloc,
    Function::Calloc,
    Function::Realloc,
    Function::Free,
];

// Tags of dynamic entries (elf.h).
const DT_PLTRELSZ: usize = 2;
const DT_PLTGOT: usize = 3;
/// The size of a relocation entry (`Elf64_Rela`), in bytes.
const RELOCATION_BYTES: usize = 24;
/// Reserved words of the table before the first function's word.
const RESERVED: usize = 3;
/// The limit on the words that are read of one object.
const MOST_PLACES: usize = 65_536;
const WORD: usize = size_of::<usize>();

/// Looks for such an object, and stores its name in the header. For an image that is about to end or to be replaced.
pub fn look_at_end(header: &Header) {
    let is_ours = &header.provenance[Function::Free.index()].interposed;
    let is_counted = is_ours.load(Ordering::Relaxed) != 0;
    if !is_counted || sys::is_sealed() || !header.bypassing.is_empty() || !objects::have_come() {
        return;
    }
    let allocator = ALLOCATOR.map(|function| next::address(function).get());
    objects::late_ones(|object| {
        let passes_by = calls_one_of(object, &allocator);
        if passes_by {
            objects::show_name(object, |name| header.bypassing.set(name));
        }
        !passes_by
    });
}

/// Whether the object calls one of these functions directly.
fn calls_one_of(object: objects::Object, functions: &[usize]) -> bool {
    let (mut table, mut bytes) = (0, 0);
    objects::late_dynamic(object, |[tag, value]| match tag {
        DT_PLTGOT => table = value,
        DT_PLTRELSZ => bytes = value,
        _ => {}
    });
    if table == 0 {
        return false;
    }
    let mut left = (bytes / RELOCATION_BYTES).min(MOST_PLACES);
    let mut at = table.wrapping_add(RESERVED * WORD);
    while left > 0 {
        let mut words = [0; 128 * WORD];
        let wanted = left.min(words.len() / WORD) * WORD;
        let read = objects::peek(at, &mut words[..wanted]) / WORD;
        let places = words[..read * WORD].chunks_exact(WORD);
        let mut places =
            places.map(|word| usize::from_ne_bytes(std::array::from_fn(|at| word[at])));
        if places.any(|place| functions.contains(&place)) {
            return true;
        }
        if read * WORD < wanted {
            return false;
        }
        left -= read;
        at = at.wrapping_add(wanted);
    }
    false
}
