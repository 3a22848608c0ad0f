//! The calls that a process image had begun and that had not returned.

use weir_record::file::FileEntry;

use super::{Findings, text};
use crate::model::InFlight;

/// A call that had not returned, and the leaf in the region that it would be counted at.
pub struct Begun {
    /// The call.
    pub call: InFlight,
    /// The number of its leaf, if it has one; not checked.
    pub leaf: Option<u32>,
}

/// The call of each thread that was in one, the oldest first; without their frames.
///
/// A thread that has ended is in no call. If a thread left a call by a jump and has made no call since, it looks as if it
/// were still in that call.
pub fn in_flight(findings: &Findings<'_>) -> Vec<Begun> {
    let region = findings.region;
    let started = findings.started.ticks;
    let threads = region.slots().iter().filter(|slot| slot.owner.is_taken());
    let mut calls: Vec<Begun> = threads
        .filter_map(|slot| {
            let call = slot.in_flight.get(started)?;
            let leaf = slot.in_flight_leaf();
            // Where the program still runs, the thread may have gone on to another call meanwhile.
            let is_still_there = slot.in_flight.get(started) == Some(call);
            let at_ns = findings.rate.zip(call.began_ticks);
            // The report's moment may be a little before the call, where the program still runs.
            let at_ns =
                at_ns.map(|(rate, ticks)| rate.ns(ticks - started).min(findings.duration_ns));
            let file = call.fd.and_then(|fd| file(findings, fd));
            let call = InFlight {
                tid: slot.owner.tid(),
                function: call.function.name().to_owned(),
                fd: call.fd,
                kind: file.map(|file| file.kind().name().to_owned()),
                file: file
                    .map(|file| text(&file.name))
                    .filter(|name| !name.is_empty()),
                at_ns,
                age_ns: at_ns.map(|at_ns| findings.duration_ns - at_ns),
                looks: None,
                frame: None,
            };
            Some(Begun {
                call,
                leaf: Some(leaf).filter(|&leaf| leaf != 0 && is_still_there),
            })
        })
        .collect();
    // Those of which no age is known come last.
    calls.sort_by_key(|Begun { call, .. }| (call.at_ns.is_none(), call.at_ns, call.tid));
    calls
}

/// What a descriptor leads to. Processes that share a region have descriptors of their own.
fn file<'a>(findings: &Findings<'a>, fd: i32) -> Option<&'a FileEntry> {
    let header = findings.region.header;
    if header.sharers.get() != 0 {
        return None;
    }
    findings.region.files().get(header.link(fd)?)
}
