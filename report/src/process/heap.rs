//! The heap of a process image.

use weir_record::functions::Role;
use weir_record::slot::publish_step;

use super::Findings;
use crate::model::Heap;

/// The heap, as the allocation functions left it.
pub fn heap(findings: &Findings<'_>) -> Heap {
    let header = findings.region.header;
    let totals = findings.totals;
    let inherited_bytes = header.inherited_bytes.get_signed();
    let inherited_blocks = header.inherited_blocks.get_signed();
    let live_bytes = totals.live_bytes;

    // The threads tell the region's total of their live bytes in steps. What one has allocated and not told
    // is missing from the peak, and what it has freed and not told is too much in it. (The common
    // counters tell at once.) The image's beginning, where all was inherited, and its end are known exactly.
    let peak = header
        .heap
        .peak_bytes
        .get_signed()
        .max(live_bytes)
        .max(inherited_bytes)
        .max(0);
    let peak_error_bytes = publish_step(peak).saturating_mul(totals.allocating_slots);

    Heap {
        live_bytes,
        live_blocks: inherited_blocks.wrapping_add(live_blocks(findings)),
        peak_bytes: peak.cast_unsigned(),
        peak_error_bytes,
        inherited_bytes,
        inherited_blocks,
    }
}

/// Blocks made less blocks freed. Resizing changes neither; where a call did other than its
/// function's role says, the adjustment has it.
fn live_blocks(findings: &Findings<'_>) -> i64 {
    let mut blocks = findings.totals.blocks_adjustment;
    for (function, total) in findings.totals.functions() {
        match function.row().role {
            Role::Allocate => {
                let made = total.calls.saturating_sub(total.errors);
                blocks = blocks.wrapping_add_unsigned(made);
            }
            Role::Free => blocks = blocks.wrapping_sub_unsigned(total.calls),
            _ => {}
        }
    }
    blocks
}
