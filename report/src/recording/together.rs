//! Several process images in one entry: a report cannot have an entry for each of very many processes.

use std::cmp::Reverse;

use super::{add, function, heap, missed, slowest, tool};
use crate::model::{
    Coroutines, EndCount, Folded, Function, MOST_FRAMES, NoteCount, Process, Stacks, Thread,
    ThreadFunction,
};
use crate::{activity, files, latency_over_time, timeline};
use std::collections::BTreeMap;

/// How many different notes are kept.
const MOST_NOTES: usize = 64;
/// How many programs that were not traced are named.
const MOST_UNTRACED: usize = 1000;
/// The note that stands for those beyond the bound.
const OTHER_NOTE: &str = "there are more notes, for which there was no room";

/// One entry for these images, or entries; none for none. Every number of it is the sum of theirs. The heap's are that
/// where all of them, or none, are known.
pub fn together(mut images: Vec<Process>) -> Option<Process> {
    images.sort_by_key(|image| image.started_unix_ns);
    let first = images.first()?;
    let started_unix_ns = first.started_unix_ns;
    let ends = images
        .iter()
        .map(|image| image.started_unix_ns.saturating_add(image.duration_ns));
    let ended_unix_ns = ends.max().unwrap_or(started_unix_ns);
    let duration_ns = ended_unix_ns.saturating_sub(started_unix_ns);
    let mut missed = missed(&images);
    let unlisted = missed.untraced.len().saturating_sub(MOST_UNTRACED);
    missed.untraced.truncate(MOST_UNTRACED);
    add(&mut missed.unlisted_starts, unlisted as u64);
    let mut heap = heap(&images);
    if heap.not_known.is_some() {
        heap.not_known.clone_from(&first.heap.not_known);
    }
    let provenance = images.iter().map(|image| &image.provenance);
    Some(Process {
        pid: first.pid,
        parent_pid: first.parent_pid,
        executable: first.executable.clone(),
        command: first.command.clone(),
        title: { images.iter().all(|image| image.title == first.title) }
            .then(|| first.title.clone())
            .flatten(),
        forked: images.iter().all(|image| image.forked),
        started_unix_ns,
        started_at: first.started_at.clone(),
        duration_ns,
        end: first.end.clone(),
        folded: Some(Box::new(folded(&images))),
        timed_one_in: first.timed_one_in,
        functions: functions_together(&images),
        heap,
        threads: threads(&images, started_unix_ns),
        timeline: timeline::together(&images, started_unix_ns, duration_ns),
        latency_over_time: latency_over_time::together(&images, started_unix_ns, duration_ns)
            .map(Box::new),
        activities: activity::together(images.iter().map(|image| &image.activities)),
        files: files::together(images.iter().map(|image| &image.files)),
        coroutines: Coroutines::together(images.iter().filter_map(|of| of.coroutines.as_ref())),
        stacks: Stacks::together(
            images.iter().filter_map(|of| of.stacks.as_ref()),
            MOST_FRAMES,
        ),
        slowest: slowest(&images, |image| &image.slowest),
        longest_waits: slowest(&images, |image| &image.longest_waits),
        // Only entries of single images have these: killed images would have many, each for another moment.
        in_flight: Vec::new(),
        provenance: provenance
            .into_iter()
            .find(|groups| !groups.is_empty())
            .cloned()
            .unwrap_or_default(),
        missed,
        tool: tool(&images),
    })
}

/// The functions of these images, or entries: the sums of their numbers, and their histograms together.
pub fn functions_together<'a>(
    images: impl IntoIterator<Item = &'a Process>,
) -> BTreeMap<String, Function> {
    let mut parts: BTreeMap<&String, Vec<&Function>> = BTreeMap::new();
    for (name, function) in images.into_iter().flat_map(|image| &image.functions) {
        parts.entry(name).or_default().push(function);
    }
    parts
        .into_iter()
        .map(|(name, parts)| (name.clone(), function(&parts)))
        .collect()
}

/// One entry for the threads that had a slot, and one for what was counted together.
fn threads(images: &[Process], started_unix_ns: u64) -> Vec<Thread> {
    let mut with_slot = None;
    let mut without = None;
    for image in images {
        let after_ns = image.started_unix_ns.saturating_sub(started_unix_ns);
        for thread in &image.threads {
            let sum = if thread.tid == 0 {
                &mut without
            } else {
                &mut with_slot
            };
            add_thread(sum, thread, after_ns);
        }
    }
    with_slot.into_iter().chain(without).collect()
}

fn add_thread(sum: &mut Option<Thread>, thread: &Thread, after_ns: u64) {
    let started_ns = thread.started_ns.saturating_add(after_ns);
    let sum = sum.get_or_insert_with(|| Thread {
        tid: 0,
        name: String::new(),
        threads: 0,
        started_ns,
        running: false,
        live_bytes: 0,
        functions: BTreeMap::new(),
    });
    sum.tid = thread.tid;
    sum.name.clone_from(&thread.name);
    add(&mut sum.threads, thread.threads);
    sum.started_ns = sum.started_ns.min(started_ns);
    sum.running = thread.running;
    sum.live_bytes = sum.live_bytes.saturating_add(thread.live_bytes);
    for (name, part) in &thread.functions {
        let of = sum.functions.entry(name.clone()).or_default();
        let ThreadFunction {
            calls,
            errors,
            requested_bytes,
            moved_bytes,
            timed,
            total_ns,
        } = of;
        add(calls, part.calls);
        add(errors, part.errors);
        add(requested_bytes, part.requested_bytes);
        add(moved_bytes, part.moved_bytes);
        add(timed, part.timed);
        add(total_ns, part.total_ns);
    }
}

fn folded(images: &[Process]) -> Folded {
    let mut sum = Folded::default();
    for image in images {
        add(&mut sum.processes, image.stands_for());
        match &image.folded {
            Some(part) => {
                for count in &part.ends {
                    add_end(&mut sum.ends, count);
                }
            }
            None => add_end(
                &mut sum.ends,
                &EndCount {
                    end: image.end.clone(),
                    processes: 1,
                },
            ),
        }
        for (note, processes) in image.notes() {
            add_note(&mut sum.notes, note, processes);
        }
    }
    sum.ends.sort_by_key(|count| Reverse(count.processes));
    sum
}

fn add_end(ends: &mut Vec<EndCount>, part: &EndCount) {
    match ends.iter_mut().find(|count| count.end == part.end) {
        Some(count) => add(&mut count.processes, part.processes),
        None => ends.push(part.clone()),
    }
}

fn add_note(notes: &mut Vec<NoteCount>, note: &str, processes: u64) {
    let is_full = notes.len() >= MOST_NOTES;
    if let Some(count) = notes.iter_mut().find(|count| count.note == note) {
        return add(&mut count.processes, processes);
    }
    match notes.last_mut() {
        Some(last) if is_full => add(&mut last.processes, processes),
        _ => {
            let is_last = notes.len() + 1 == MOST_NOTES;
            let note = if is_last { OTHER_NOTE } else { note };
            notes.push(NoteCount {
                note: note.to_owned(),
                processes,
            });
        }
    }
}
