//! The calls that a process image had begun and that had not returned.

use weir_record::file::FileEntry;

use super::{Findings, text};
use crate::model::InFlight;

/// The call of each thread that was in one, the oldest first.
///
/// A thread that has ended is in no call. If a thread left a call by a jump and has made no call since, it looks as if it
/// were still in that call.
pub fn in_flight(findings: &Findings<'_>) -> Vec<InFlight> {
    let region = findings.region;
    let started = findings.started.ticks;
    let threads = region.slots().iter().filter(|slot| slot.owner.is_taken());
    let mut calls: Vec<InFlight> = threads
        .filter_map(|slot| {
            let call = slot.in_flight.get(started)?;
            let at_ns = findings.rate.zip(call.began_ticks);
            // The report's moment may be a little before the call, where the program still runs.
            let at_ns =
                at_ns.map(|(rate, ticks)| rate.ns(ticks - started).min(findings.duration_ns));
            let file = call.fd.and_then(|fd| file(findings, fd));
            Some(InFlight {
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
            })
        })
        .collect();
    // Those of which no age is known come last.
    calls.sort_by_key(|call| (call.at_ns.is_none(), call.at_ns, call.tid));
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
