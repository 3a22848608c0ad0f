//! The region: its memory, and which thread has which slot of it.

pub mod backing;
pub mod mapping;
pub mod slots;

use weir_record::region::Section;
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
