//! The heap of a process image.

use weir_record::functions::{Function, Role};
use weir_record::region::Circumstance;
use weir_record::slot::publish_step;

use super::Findings;
use crate::model::{Heap, ProvenanceGroup};

/// The heap, as the allocation functions left it.
pub fn heap(findings: &Findings<'_>, provenance: &[ProvenanceGroup]) -> Heap {
    let header = findings.region.header;
    let totals = findings.totals;
    let inherited_bytes = header.inherited_bytes.get_signed();
    let inherited_blocks = header.inherited_blocks.get_signed();
    let live_bytes = totals.live_bytes;

    // The threads add their live bytes to the region's total in steps. What a thread has allocated, but not added
    // yet, is missing from the peak; what it has freed, but not subtracted yet, is too much in the peak. (The common
    // counters are exact at any time.) The start of the image, when all was inherited, and its end are known exactly.
    let peak = header
        .heap
        .peak_bytes
        .get_signed()
        .max(live_bytes)
        .max(inherited_bytes)
        .max(0);
    let peak_error_bytes = publish_step(peak).saturating_mul(totals.allocating_slots);

    let live_blocks = inherited_blocks.wrapping_add(live_blocks(findings));
    Heap {
        not_known: not_known(findings, provenance, live_bytes.min(live_blocks) < 0),
        live_bytes,
        live_blocks,
        peak_bytes: peak.cast_unsigned(),
        peak_error_bytes,
        inherited_bytes,
        inherited_blocks,
    }
}

/// Why the heap is not known, where it is not.
fn not_known(
    findings: &Findings<'_>,
    provenance: &[ProvenanceGroup],
    is_below_zero: bool,
) -> Option<String> {
    let header = findings.region.header;
    let is_malloc = |group: &&ProvenanceGroup| {
        let mut names = group.functions.iter();
        group.leads.bound.is_some()
            && !group.leads.interposed
            && names.any(|name| name == Function::Malloc.name())
    };
    if let Some(group) = provenance.iter().find(is_malloc) {
        let place = group.leads.bound.as_deref().unwrap_or("another object");
        return Some(format!("the program uses the malloc of {place}"));
    }
    if header.has(Circumstance::HeapElsewhere) {
        return Some(
            "the program runs under a tool that replaces malloc, as valgrind does".to_owned(),
        );
    }
    if header.sharers.get() > 0 {
        return Some(
            "it includes forked processes that could not make regions of their own, and that free inherited blocks"
                .to_owned(),
        );
    }
    if is_below_zero {
        return Some(
            "the result is less than zero: the program freed blocks whose allocation Weir did not see, for example those of a library that is bound to another malloc (RTLD_DEEPBIND)"
                .to_owned(),
        );
    }
    header.has(Circumstance::NoBlockSizes).then(|| {
        "Weir cannot get the sizes of blocks from the allocator: it has no malloc_usable_size, or it is a sanitizer's, which may end the program if Weir calls that"
            .to_owned()
    })
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
