//! The namespaces of the process: others need them to know whose its ids are, and what its clock shows.

use weir_record::region::Header;

use crate::sys;

/// Notes the namespaces of the calling process in its own region. Where a filter may forbid to ask, they are not known.
pub fn note(header: &Header) {
    if !sys::is_filtered() {
        let pid = sys::namespace(c"/proc/self/ns/pid");
        let time = sys::namespace(c"/proc/self/ns/time");
        header.namespaces.set(pid, time);
    }
}
