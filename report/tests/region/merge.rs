//! Several process images in one report.

use weir_record::functions::Function;
use weir_report::model::{Latency, Process, Report};
use weir_report::recording;

use crate::memory::{Memory, Random, after, exited};

/// The process of an image in which each of these calls was made.
fn process(calls: &[(Function, u64, u64)], pid: u32) -> Process {
    let memory = Memory::new(1);
    memory.header().pid.store(pid, crate::memory::RELAXED);
    let thread = memory.thread(0, "t");
    for &(function, size, took) in calls {
        thread.timed(function, size, 5, 0, took);
        if size % 16 == 7 {
            thread.failed(function, libc::EIO);
        } else {
            thread.moved(function, size);
        }
    }
    memory.writer().process(after(2_000_000), exited())
}

fn merged(processes: Vec<Process>) -> Report {
    recording::report(processes, exited(), 5)
}

#[test]
fn two_processes_add_up_to_one_that_did_it_all() {
    let mut random = Random::new(3);
    let calls: Vec<(Function, u64, u64)> = (0..9000)
        .map(|_| {
            let function =
                [Function::Read, Function::Write, Function::Fsync][random.below(3) as usize];
            (function, random.magnitude(20), random.magnitude(36))
        })
        .collect();
    let (first, second) = calls.split_at(2000);
    let parts = merged(vec![process(first, 1), process(second, 2)]);
    let whole = merged(vec![process(&calls, 3)]);
    for (name, part) in &parts.functions {
        let mut whole = whole.functions[name].clone();
        let has_size = !whole.size_classes.is_empty();
        assert_eq!(has_size, ["read", "write"].contains(&name.as_str()));
        if let (Some(told), Some(latency)) = (&part.latency, &mut whole.latency) {
            // If the histogram's array has grown in another order, it may be longer. Its content is the same.
            assert_eq!(
                crate::latency::decoded(told),
                crate::latency::decoded(latency)
            );
            latency.histogram.clone_from(&told.histogram);
        }
        assert_eq!(*part, whole, "{name}");
    }
    assert_eq!(parts.slowest[0].took_ns, whole.slowest[0].took_ns);
    assert!(
        parts
            .slowest
            .is_sorted_by(|one, next| one.took_ns >= next.took_ns)
    );
    assert_eq!(parts.tool.samples, whole.tool.samples);
    assert_eq!(parts.missed, whole.missed);
}

#[test]
fn the_first_to_start_gives_its_name() {
    let mut late = process(&[], 9);
    late.started_unix_ns += 1;
    late.command = vec!["late".to_owned()];
    late.timed_one_in = 0;
    let mut early = process(&[], 11);
    early.command = vec!["early".to_owned()];
    let report = merged(vec![late, early]);
    assert_eq!(
        (report.command[0].as_str(), report.timed_one_in),
        ("early", 1)
    );
    let pids: Vec<u32> = report.processes.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [11, 9]);
    assert_eq!(report.duration_ns, 5);
}

#[test]
fn sums_are_held_at_the_largest_number() {
    let mut process = process(&[(Function::Read, 10, 10)], 1);
    let read = process.functions.get_mut("read").unwrap();
    read.calls = u64::MAX - 1;
    process.heap.live_bytes = i64::MIN;
    process.heap.peak_bytes = u64::MAX;
    process.missed.untimed_calls = u64::MAX;
    process.tool.samples = u64::MAX;
    let report = merged(vec![process.clone(), process]);
    assert_eq!(report.functions["read"].calls, u64::MAX);
    assert_eq!(
        (report.heap.live_bytes, report.heap.peak_bytes),
        (i64::MIN, u64::MAX)
    );
    assert_eq!(
        (report.missed.untimed_calls, report.tool.samples),
        (u64::MAX, u64::MAX)
    );
}

#[test]
fn notes_tell_whom_they_are_about() {
    let with = |pid, notes: &[&str]| {
        let mut process = process(&[], pid);
        process.missed.notes = notes.iter().map(|&note| note.to_owned()).collect();
        process.missed.not_interposed = vec![format!("f{}", pid % 2)];
        process
    };
    let report = merged(vec![
        with(1, &["all", "two"]),
        with(2, &["all", "one"]),
        with(3, &["two", "all"]),
    ]);
    assert_eq!(
        report.missed.notes,
        ["all", "2 of 3 processes: two", "process 2: one"]
    );
    assert_eq!(report.missed.not_interposed, ["f0", "f1"]);
}

#[test]
fn nothing_was_recorded() {
    let report = merged(Vec::new());
    assert!(report.functions.is_empty());
    assert_eq!((report.timed_one_in, report.started_unix_ns), (0, 0));
    assert!(report.command.is_empty() && report.processes.is_empty());
}

/// Reports may come from anywhere. A histogram that is not one of ours is left out, and counts as dropped.
#[test]
fn a_histogram_that_is_none_is_dropped() {
    let good = process(&[(Function::Read, 1, 1000); 10], 1);
    let told = good.functions["read"].latency.clone().unwrap();
    let bomb = {
        // A length of four gigabytes, and a count that has no negative value.
        let inner = |length: u32, high: u64, counts: &[u8]| {
            let mut inner = 0x1c84_9313_u32.to_be_bytes().to_vec();
            inner.extend(length.to_be_bytes());
            inner.extend(0_u32.to_be_bytes());
            inner.extend(2_u32.to_be_bytes());
            inner.extend(1_u64.to_be_bytes());
            inner.extend(high.to_be_bytes());
            inner.extend(1_f64.to_be_bytes());
            inner.extend(counts);
            compressed(&inner)
        };
        [
            inner(u32::MAX, 1000, &[2]),
            inner(9, 1000, &[0xff; 9]),
            inner(1, u64::MAX, &[2]),
            inner(
                12,
                1000,
                &[
                    0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 2, 2, 2,
                ],
            ),
            inner(3, 1000, &[2, 0xff, 0xff]),
            compressed(&vec![0; 10_000_000]),
        ]
    };
    let bad = [
        "",
        "????",
        "AAAA",
        "HISTFAAA",
        &told.histogram[..told.histogram.len() / 2],
    ];
    for text in bad.into_iter().map(str::to_owned).chain(bomb) {
        let mut other = good.clone();
        let latency = other
            .functions
            .get_mut("read")
            .unwrap()
            .latency
            .as_mut()
            .unwrap();
        latency.histogram = text;
        let report = merged(vec![good.clone(), other]);
        let latency: &Latency = report.functions["read"].latency.as_ref().unwrap();
        assert_eq!((latency.timed, latency.dropped), (20, 10));
        assert_eq!((latency.p50_ns, latency.total_ns), (told.p50_ns, 20_000));
    }
}

fn compressed(inner: &[u8]) -> String {
    use base64::Engine;
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(inner).unwrap();
    let body = encoder.finish().unwrap();
    let mut bytes = 0x1c84_9314_u32.to_be_bytes().to_vec();
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
