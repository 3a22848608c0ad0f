//! A writer beside a program that is running.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use weir_record::functions::Function;
use weir_record::ring;
use weir_report::model::{Process, TimelinePoint, Usage};

use crate::latency::decoded;
use crate::memory::{Memory, after, exited, running};

/// Each snapshot of a program that never stops is consistent, and the last one has everything.
#[test]
fn a_running_image_is_reported_again_and_again() {
    const CALLS: u64 = 400_000;
    let memory = Memory::new(2);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let thread = memory.thread(0, "busy");
            for call in 0..CALLS {
                thread.timed(Function::Write, call % 100, 1, 0, 10 + call % 50);
            }
            done.store(true, Ordering::Release);
        });
        let mut writer = memory.writer();
        let (mut now_ns, mut calls) = (1_000_000, 0);
        while !done.load(Ordering::Acquire) {
            now_ns += 1_000_000;
            writer.poll(after(now_ns));
            let process = writer.process(after(now_ns), running());
            let Some(write) = process.functions.get("write") else {
                continue;
            };
            assert!(write.calls >= calls, "counters only grow");
            calls = write.calls;
            if let Some(latency) = &write.latency {
                assert!(latency.timed <= write.calls);
                assert!(decoded(latency).len() + latency.dropped >= latency.timed);
                assert!(latency.p50_ns <= latency.p99_ns && latency.p99_ns <= latency.max_ns);
            }
        }
        let process = writer.process(after(now_ns + 1), exited());
        let write = &process.functions["write"];
        let latency = write.latency.as_ref().unwrap();
        assert_eq!((write.calls, latency.timed), (CALLS, CALLS));
        assert_eq!(latency.timed - latency.dropped, decoded(latency).len());
        assert_eq!(process.tool.samples, CALLS - latency.dropped);
        assert_eq!(
            latency.total_ns,
            (0..CALLS).map(|call| 10 + call % 50).sum::<u64>()
        );
    });
}

/// While nothing is lost, a snapshot of a running image must not report a loss. One call may be between its count and
/// its sample.
#[test]
fn samples_under_way_are_not_called_dropped() {
    const CALLS: u64 = 200_000;
    let memory = Memory::new(1);
    let taken = AtomicU64::new(0);
    let mut told = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let thread = memory.thread(0, "patient");
            for call in 0..CALLS {
                while call - taken.load(Ordering::Acquire) > ring::CAPACITY as u64 / 2 {
                    std::thread::yield_now();
                }
                thread.timed(Function::Write, 1, 1, 0, 10);
            }
        });
        let mut writer = memory.writer();
        while taken.load(Ordering::Acquire) < CALLS {
            let process = writer.process(after(2_000_000), running());
            told.push(process.missed.dropped_samples);
            taken.store(process.tool.samples, Ordering::Release);
        }
        told.push(
            2 * writer
                .process(after(2_000_000), exited())
                .missed
                .dropped_samples,
        );
    });
    assert!(told.iter().all(|&dropped| dropped <= 1), "{told:?}");
}

#[test]
fn the_timeline_has_what_was_counted_by_then() {
    const MS: u64 = 1_000_000;
    let memory = Memory::new(1);
    memory.header().inherited_bytes.set(50);
    let thread = memory.thread(0, "t");
    let mut writer = memory.writer();
    for tenth in 1..=5 {
        thread.call(Function::Malloc, 10);
        thread.shift(16);
        thread.call(Function::FreeSized, 1000);
        thread.call(Function::Read, 100);
        thread.moved(Function::Read, 7);
        thread.call(Function::Write, 100);
        thread.moved(Function::Write, 9);
        thread.call(Function::Sendfile, 100);
        thread.moved(Function::Sendfile, 3);
        thread.call(Function::UnderscoreFork, 0);
        writer.poll(after(tenth * 100 * MS));
        writer.poll(after(tenth * 100 * MS + 2 * MS));
    }
    let timeline = writer.process(after(555 * MS), exited()).timeline;
    assert_eq!(timeline.interval_ns, 5 * MS);
    let moments: Vec<u64> = timeline
        .points
        .iter()
        .map(|point| point.at_ns / MS)
        .collect();
    assert_eq!(moments, [0, 100, 200, 300, 400, 500, 555]);
    for (point, tenth) in timeline.points.iter().zip([0_u64, 1, 2, 3, 4, 5, 5]) {
        assert_eq!(point.live_bytes, 50 + 16 * tenth.cast_signed());
        assert_eq!(
            (point.alloc_calls, point.alloc_bytes),
            (2 * tenth, 10 * tenth)
        );
        assert_eq!(point.io_calls, 3 * tenth);
        assert_eq!(point.copied_bytes, 3 * tenth);
        // Nobody has looked at the start.
        assert_eq!(point.threads, (point.at_ns > 0).then_some(1));
        assert_eq!(
            (point.read_bytes, point.written_bytes),
            (7 * tenth, 9 * tenth)
        );
    }
}

/// Who can say what the process takes is asked where a point is due, and with that point.
#[test]
fn points_have_what_the_process_took_then() {
    const MS: u64 = 1_000_000;
    let memory = Memory::new(1);
    let thread = memory.thread(0, "t");
    let mut writer = memory.writer();
    let usage = |point: &TimelinePoint| Usage {
        minor_faults: point.io_calls,
        resident_bytes: point.at_ns,
        ..Usage::default()
    };
    let mut asked = 0;
    for tenth in 1..=5 {
        thread.call(Function::Read, 1);
        for at_ns in [tenth * 100 * MS, tenth * 100 * MS + 2 * MS] {
            writer.poll_beside(after(at_ns), |point| {
                asked += 1;
                (tenth != 3).then(|| usage(point))
            });
        }
    }
    assert_eq!(asked, 5);
    let points = |process: Process| process.timeline.points;
    let running = points(writer.process_beside(after(550 * MS), running(), |of| Some(usage(of))));
    assert_eq!(running.len(), 7);
    for (tenth, point) in running.iter().enumerate() {
        let is_reported = tenth != 0 && tenth != 3;
        assert_eq!(point.usage, is_reported.then(|| usage(point)), "{tenth}");
    }
    let ended = points(writer.process(after(550 * MS), exited()));
    assert_eq!(ended.last().map(|last| last.usage), Some(None));
    assert_eq!(ended[..6], running[..6]);
}
