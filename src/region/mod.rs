//! The region: its memory, and which thread has which slot of it.

pub mod backing;
pub mod left_behind;
pub mod mapping;
pub mod slots;

use weir_record::functions::Function;
use weir_record::region::{Circumstance, Section};
use weir_record::slot::Counters;

use crate::process::header;

/// The counters of threads that have no slot. `None` if there is no region, or no memory for them.
pub fn common() -> Option<&'static Counters> {
    let header = header()?;
    if !mapping::make_section(header, Section::Common) {
        return None;
    }
    header.common()
}

/// Whether a slot, or counters, are in the region that this process counts in.
///
/// A signal handler may fork in the middle of a hook, and return in the child. There the hook has its parent's slot. So it asks
/// this before it adds to what it has looked up anew.
#[inline(always)]
pub fn has<T>(place: &T) -> bool {
    mapping::has(std::ptr::from_ref(place).addr())
}

/// Counts a call of a seldom function by the size that it asked for, in bytes. `counters` are those that count the call.
#[cold]
#[inline(never)]
pub fn count_seldom_size(counters: &Counters, function: Function, requested: u64) {
    if !has(counters) {
        return;
    }
    let Some(header) = header() else { return };
    if !mapping::make_section(header, Section::SeldomSizes) {
        header.note(Circumstance::NoSizesMemory);
    }
    if let Some(sizes) = header.seldom_sizes() {
        sizes.count(function, requested);
    }
}
