//! Which object each function was found in, and which one the program's own calls reach.

use std::sync::atomic::{AtomicU8, Ordering};

use weir_record::functions::Function;
use weir_record::region::Header;

use crate::linking::{next, streams};

/// Fills in the header's objects and provenance, from what was found when the first image started.
pub fn record(header: &Header, executable: &[u8]) {
    for (object, text) in next::objects().zip(&header.objects) {
        let name = object.to_bytes();
        text.set(if name.is_empty() { executable } else { name });
    }
    for function in Function::ALL {
        let provenance = &header.provenance[function.index()];
        let set = |cell: &AtomicU8, value| cell.store(value, Ordering::Relaxed);
        let next = next::next_place(function);
        set(&provenance.next, next);
        let is_ours = if function.is_symbol() {
            next::before_place(function) == 0
        } else {
            // This function is reached by a table of stdio, not by a symbol.
            streams::are_seen()
        };
        let elsewhere = match next::before_place(function) {
            0 => next,
            before => before,
        };
        set(
            &provenance.bound,
            if is_ours {
                next::own_place()
            } else {
                elsewhere
            },
        );
        set(&provenance.interposed, u8::from(is_ours));
    }
}

/// Whether the program's calls to a function by its name reach ours.
pub fn is_interposed(header: &Header, function: Function) -> bool {
    header.provenance[function.index()]
        .interposed
        .load(Ordering::Relaxed)
        != 0
}
