//! Where the interposed functions lead.

use std::sync::atomic::Ordering::Relaxed;

use weir_record::functions::Function;
use weir_record::region::{Provenance as Places, Region};

use super::text;
use crate::model::{Provenance, ProvenanceGroup};

/// Where each function leads, for those of which anything is known. A report of a small program is mostly this, so
/// each object is named once for all functions that lead there, and no name of a function is copied.
pub fn provenance(region: Region<'_>) -> Vec<ProvenanceGroup> {
    let mut groups: Vec<((u8, u8, bool), ProvenanceGroup)> = Vec::new();
    let in_libraries = Function::by_name().iter().filter(|of| of.is_in_library());
    for &function in in_libraries {
        let Some(places) = region.header.provenance.get(function.index()) else {
            continue;
        };
        let places = places_of(region, places);
        if places == (0, 0, false) {
            continue;
        }
        let index = match groups.iter().position(|(others, _)| *others == places) {
            Some(index) => index,
            None => {
                groups.push((places, group(region, places)));
                groups.len() - 1
            }
        };
        groups[index].1.functions.push(function.name().into());
    }
    let mut groups: Vec<ProvenanceGroup> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_by(|one, other| one.leads.cmp(&other.leads));
    // Two objects of one name are one to the reader.
    groups.dedup_by(|next, first| {
        let is_same = next.leads == first.leads;
        if is_same {
            first.functions.append(&mut next.functions);
            first.functions.sort();
        }
        is_same
    });
    groups
}

/// What a region says of a function; 0 for places that there are not.
fn places_of(region: Region<'_>, places: &Places) -> (u8, u8, bool) {
    let known = |place: u8| match usize::from(place) > region.header.objects.len() {
        true => 0,
        false => place,
    };
    (
        known(places.next.load(Relaxed)),
        known(places.bound.load(Relaxed)),
        places.interposed.load(Relaxed) != 0,
    )
}

fn group(region: Region<'_>, (next, bound, interposed): (u8, u8, bool)) -> ProvenanceGroup {
    let object = |place: u8| {
        let index = usize::from(place).checked_sub(1)?;
        region.header.objects.get(index).map(text)
    };
    ProvenanceGroup {
        leads: Provenance {
            next: object(next),
            bound: object(bound),
            interposed,
        },
        functions: Vec::new(),
    }
}
