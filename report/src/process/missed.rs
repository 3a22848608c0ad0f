//! What was not seen or not measured of a process image.

use std::collections::BTreeMap;

use weir_record::functions::{Function, Timing};
use weir_record::region::Circumstance;

use super::{Findings, text};
use crate::model::{self, Heap, IoUring, IoUringSeen, Missed, ProvenanceGroup};

/// What was not observed or not measured.
pub fn missed(
    findings: &Findings<'_>,
    functions: &BTreeMap<String, model::Function>,
    provenance: &[ProvenanceGroup],
    heap: &Heap,
) -> Missed {
    let header = findings.region.header;
    let mut missed = Missed {
        uncounted_calls: header.uncounted_calls.get(),
        threads_without_slot: header.threads_without_slot.get(),
        unlisted_starts: header.unlisted_starts.get(),
        not_interposed: not_interposed(provenance),
        io_uring: io_uring(findings),
        notes: Vec::new(),
        ..Missed::default()
    };
    let mut names = missed.not_interposed.iter();
    let binds_malloc_elsewhere = names.any(|name| name == Function::Malloc.name());
    missed.notes = notes(findings, heap, binds_malloc_elsewhere);
    missed.notes.extend(hidden_bytes(findings));
    let add = |to: &mut u64, by: u64| *to = to.saturating_add(by);
    for (function, total) in findings.totals.functions() {
        add(&mut missed.reentrant_calls, total.reentrant);
        if function.row().family.timing() != Timing::Never {
            let untimed = total.calls.saturating_sub(total.timed);
            add(&mut missed.untimed_calls, untimed);
        }
        let reported = functions.get(function.name());
        let latency = reported.and_then(|reported| reported.latency.as_ref());
        let dropped = latency.map_or(total.timed, |latency| latency.dropped);
        add(&mut missed.dropped_samples, dropped);
        if let Some(parts) = reported.and_then(|reported| reported.parts.as_ref()) {
            add(&mut missed.dropped_samples, parts.wait.dropped);
            add(&mut missed.dropped_samples, parts.transfer.dropped);
        }
        if function.row().returns.has_errno() {
            let listed = reported.map_or(0, |reported| {
                let counts = reported.errors_by_errno.values();
                counts.fold(0, |sum: u64, &count| sum.saturating_add(count))
            });
            let unlisted = total.errors.saturating_sub(listed);
            add(&mut missed.unlisted_errnos, unlisted);
        }
    }
    missed
}

/// The note for calls of functions whose moved bytes are not known: 0 would be a wrong number.
fn hidden_bytes(findings: &Findings<'_>) -> Option<String> {
    const MOST: usize = 4;
    let functions = findings.totals.functions();
    let mut names: Vec<&str> = functions
        .filter(|(function, total)| function.row().returns.hides_bytes() && total.calls > 0)
        .map(|(function, _)| function.name())
        .collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let names = match (names.is_empty(), more) {
        (true, _) => return None,
        (_, 0) => names.join(", "),
        _ => format!("{} and {more} more", names.join(", ")),
    };
    Some(format!(
        "moved bytes: not known for functions with wide characters and for the scanf functions ({names}): the report has 0"
    ))
}

/// The functions that the program binds elsewhere, in alphabetical order.
fn not_interposed(provenance: &[ProvenanceGroup]) -> Vec<String> {
    let mut names: Vec<String> = provenance
        .iter()
        .filter(|group| group.leads.bound.is_some() && !group.leads.interposed)
        .flat_map(|group| group.functions.iter().map(|name| name.to_string()))
        .collect();
    names.sort();
    names
}

/// What is known of io_uring, where anything is.
fn io_uring(findings: &Findings<'_>) -> Option<IoUring> {
    let header = findings.region.header;
    let library = Some(text(&header.uring_library)).filter(|path| !path.is_empty());
    let seen = if header.has(Circumstance::UringUsed) {
        IoUringSeen::Used
    } else if header.has(Circumstance::UringAskedFor) {
        IoUringSeen::AskedFor
    } else if library.is_some() {
        IoUringSeen::Loaded
    } else {
        return None;
    };
    Some(IoUring { seen, library })
}

fn notes(findings: &Findings<'_>, heap: &Heap, binds_malloc_elsewhere: bool) -> Vec<String> {
    let header = findings.region.header;
    let circumstances = Circumstance::ALL
        .into_iter()
        .filter(|&circumstance| header.has(circumstance))
        .filter_map(sentence);
    let others = [
        (
            findings.rate.is_none(),
            "the image's clocks did not advance: there are no latencies",
        ),
        (
            header.command.is_full(),
            "the command line is too long for a region, and was cut",
        ),
        (
            header.executable.is_full(),
            "the executable's path is too long for a region, and was cut",
        ),
    ];
    let others = others
        .into_iter()
        .filter_map(|(holds, sentence)| holds.then_some(sentence));
    let mut notes: Vec<String> = circumstances.chain(others).map(str::to_owned).collect();
    // Functions that are bound elsewhere have a note of their own.
    if let Some(reason) = heap.not_known.as_ref().filter(|_| !binds_malloc_elsewhere) {
        notes.push(format!("the heap is not known: {reason}"));
    }
    let bypassing = text(&header.bypassing);
    if !bypassing.is_empty() {
        notes.push(format!(
            "{bypassing} calls the C library's allocator directly (RTLD_DEEPBIND?): the blocks that it allocates are not counted, and those that it frees look live"
        ));
    }
    match header.sharers.get() {
        0 => {}
        1 => notes.push(format!("1 forked process could not make a region of its own ({WHY_NO_REGION}), and is counted in this one")),
        many => notes.push(format!("{many} forked processes could not make regions of their own ({WHY_NO_REGION}), and are counted in this one")),
    }
    notes
}

/// Why a forked process may be unable to make a region.
const WHY_NO_REGION: &str =
    "another root directory or user, a limit on files or memory, or a full file system";

/// The note for a circumstance, if it needs one.
fn sentence(circumstance: Circumstance) -> Option<&'static str> {
    match circumstance {
        // Other parts of the report have these.
        Circumstance::Forked
        | Circumstance::IsNotFirst
        | Circumstance::UringAskedFor
        | Circumstance::UringUsed
        | Circumstance::HeapElsewhere
        | Circumstance::NoBlockSizes => None,
        Circumstance::NoCoroutines => Some(
            "there was no memory for a table of coroutines: the report has no numbers for them",
        ),
        Circumstance::PrivateMemory => Some(
            "there was no region file, because none could be made, or because an exec that failed had removed it: weir recover could not have made a report if a signal had ended the program",
        ),
        Circumstance::FewSlots => {
            Some("a resource limit left room for fewer threads with counters of their own")
        }
        Circumstance::NoSlotMemory => Some(
            "there was no memory for the counters of more threads: those that came later share theirs",
        ),
        Circumstance::NoSizesMemory => Some(
            "there was no memory to count the calls of some functions by size: they are in no class of size",
        ),
        Circumstance::SlotAwaited => Some(
            "a thread that was making its counters did not run for a second: others did not wait, and share theirs",
        ),
        Circumstance::UnsteadyClock => {
            Some("the processor's time-stamp counter may change its rate: times may be wrong")
        }
        Circumstance::NoWriter => Some(
            "no writer could be started in the program: samples were dropped once the rings were full",
        ),
        Circumstance::BadSetting => {
            Some("a setting (WEIR_…) was invalid, and its default was used")
        }
        Circumstance::NoThreadExit => {
            Some("no thread-specific key was left: the slots of ended threads could not be reused")
        }
        Circumstance::StdioUnseen => Some(
            "stdio: not seen: the C library's tables of stdio functions are not as expected, so the system calls of stdio are not in the report",
        ),
        Circumstance::Sealed => Some(
            "the process restricted its own system calls (seccomp): from then on, new threads and forked processes are counted together and not timed, file names are those that the program passed, and what it executes is not traced",
        ),
        Circumstance::SharedThreadArea => Some(
            "threads were made by clone(2) without thread-local storage of their own: their calls are counted with those of the thread that made them, and some are lost",
        ),
        Circumstance::OtherNamespace => Some(
            "libraries were loaded into a namespace of their own (dlmopen): their calls are not counted",
        ),
        Circumstance::Dispatched => Some(
            "the process has its system calls dispatched to itself (PR_SET_SYSCALL_USER_DISPATCH): from then on, Weir makes no system calls in it; new threads and forked processes are counted together and not timed, and file names are those that the program passed",
        ),
        Circumstance::ClockTaken => Some(
            "a thread took the time-stamp counter from itself (PR_SET_TSC, or seccomp's strict mode): from then on, its calls and those of later threads are counted and not timed",
        ),
        Circumstance::NoWriterMemory => Some(
            "the writer in the program had no memory, and stopped: samples were dropped, and it wrote no report",
        ),
        Circumstance::WriterFailed => Some(
            "the writer in the program failed, and stopped: samples were dropped, and it wrote no report; this is a defect in Weir",
        ),
        Circumstance::OtherDirectory => {
            Some("the region could not be made in the configured directory, and is in another one")
        }
    }
}
