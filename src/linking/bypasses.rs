//! Objects that call the allocator behind ours directly: a library that was loaded with `RTLD_DEEPBIND` is bound to the C
//! library's own functions before ours. What it allocates is not counted, and what it frees of ours looks live until the end. So the
//! report names it.
//!
//! Looked for when the image ends, among the objects that came after the start: in each, whether a place through which it calls
//! others (the part of its global offset table that is for that, System V ABI) leads to the allocator behind ours. Every
//! word is asked of the kernel, because another thread may unload the object. A place that is not bound yet leads into the object itself.

use std::mem::size_of;
use std::sync::atomic::Ordering;

use weir_record::functions::Function;
use weir_record::region::Header;

use crate::linking::{next, objects};
use crate::sys;

/// The functions by which blocks are made and given up.
const ALLOCATOR: [Function; 4] = [
    Function::Malloc,
    Function::Calloc,
    Function::Realloc,
    Function::Free,
];

// Tags of dynamic entries (elf.h).
const DT_PLTRELSZ: usize = 2;
const DT_PLTGOT: usize = 3;
/// Of an entry of relocations (`Elf64_Rela`).
const RELOCATION_BYTES: usize = 24;
/// Words of the table before the first place.
const RESERVED: usize = 3;
/// The most places of one object that are looked at.
const MOST_PLACES: usize = 65_536;
const WORD: usize = size_of::<usize>();

/// The image is about to end, or to be replaced.
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

/// Whether a place through which the object calls others leads to one of these functions.
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
