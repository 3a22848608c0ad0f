//! Latencies: what is in the histogram, what was dropped, and what no clock can show.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use weir_record::clock::Moment;
use weir_record::functions::Function;
use weir_record::ring;
use weir_report::model::{Latency, LatencyCell};
use weir_report::writer::Poll;

use crate::memory::{Memory, STARTED, after, exited};

/// Decodes the histogram as any HdrHistogram library does.
pub fn decoded(latency: &Latency) -> Histogram<u64> {
    let bytes = STANDARD.decode(&latency.histogram).expect("base64");
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .expect("HdrHistogram V2, compressed")
}

#[test]
fn the_histogram_holds_every_sample() {
    let memory = Memory::new(1);
    let thread = memory.thread(0, "t");
    let took = [0, 1, 2, 200, 255, 1_000, 123_456, 60_000_000_000];
    for took in took {
        thread.timed(Function::Read, 1, 3, 0, took);
        thread.timed(Function::Read, 1, 3, 0, took);
    }
    let report = memory.report(2_000_000);
    let histogram = decoded(report.functions["read"].latency.as_ref().unwrap());
    assert_eq!(histogram.len(), 2 * took.len() as u64);
    for took in took {
        assert_eq!(histogram.count_at(took), 2, "{took}");
    }
    assert_eq!(histogram.sigfig(), 2);
}

#[test]
fn what_a_full_ring_refused_is_dropped_and_all_else_exact() {
    let memory = Memory::new(1);
    let thread = memory.thread(0, "t");
    let calls = ring::CAPACITY as u64 + 500;
    for _ in 0..calls {
        thread.timed(Function::Malloc, 8, -1, 0, 40);
    }
    // The slowest call comes when the ring has no room.
    thread.timed(Function::Malloc, 8, -1, 0, 7_001);
    let report = memory.report(2_000_000);
    let latency = report.functions["malloc"].latency.as_ref().unwrap();
    assert_eq!((latency.timed, latency.dropped), (calls + 1, 501));
    assert_eq!(latency.total_ns, 40 * calls + 7_001);
    assert_eq!(latency.max_ns, 7_001);
    assert_eq!((latency.min_ns, latency.p99_9_ns), (40, 40));
    assert_eq!(decoded(latency).len(), ring::CAPACITY as u64);
    assert_eq!(report.missed.dropped_samples, 501);
    assert_eq!(report.tool.samples, ring::CAPACITY as u64);
}

#[test]
fn a_poll_drains_and_tells_how_full_the_rings_were() {
    let memory = Memory::new(2);
    let mut writer = memory.writer();
    for (index, calls) in [(0, 300), (1, 700)] {
        let thread = memory.thread(index, "t");
        for _ in 0..calls {
            thread.timed(Function::Malloc, 8, -1, 0, 40);
        }
    }
    assert_eq!(
        writer.poll(after(999_999)),
        Poll::default(),
        "too early to know the rate"
    );
    let poll = writer.poll(after(1_000_000));
    assert_eq!((poll.samples, poll.fullest_ring), (1000, 700));
    assert_eq!(writer.poll(after(1_000_001)), Poll::default());
    let process = writer.process(after(2_000_000), exited());
    assert_eq!(process.tool.samples, 1000);
    assert_eq!(process.tool.writer_polls, 3);
    assert_eq!(
        process.functions["malloc"]
            .latency
            .as_ref()
            .unwrap()
            .dropped,
        0
    );
}

#[test]
fn an_image_too_short_to_poll_is_measured_at_its_end() {
    let memory = Memory::new(1);
    memory.thread(0, "t").timed(Function::Read, 1, 3, 10, 90);
    let report = memory.report(200);
    let latency = report.functions["read"].latency.as_ref().unwrap();
    assert_eq!((latency.timed, latency.dropped, latency.p50_ns), (1, 0, 90));
}

#[test]
fn without_a_clock_there_are_counts_and_no_latencies() {
    let memory = Memory::new(1);
    memory.thread(0, "t").timed(Function::Read, 1, 3, 10, 90);
    let frozen = memory.writer().process(STARTED, exited());
    assert_eq!(frozen.functions["read"].calls, 1);
    assert_eq!(frozen.functions["read"].latency, None);
    assert_eq!(frozen.slowest, []);
    assert_eq!(frozen.missed.dropped_samples, 1);
    assert!(
        frozen.missed.notes[0].contains("clocks"),
        "{:?}",
        frozen.missed.notes
    );

    // The clock values that the image itself wrote are sufficient.
    memory.header().latest.set(after(5_000_000));
    let recovered = memory.writer().process(Moment::default(), exited());
    assert_eq!(
        recovered.functions["read"].latency.as_ref().unwrap().p50_ns,
        90
    );
}

#[test]
fn the_writers_own_cost_is_reported() {
    let memory = Memory::new(1);
    let mut writer = memory.writer();
    writer.set_own_cost(4096, 77);
    let tool = writer.process(after(2_000_000), exited()).tool;
    assert_eq!((tool.writer_bytes, tool.writer_cpu_ns), (4096, 77));
}

/// The cells of an activity are the samples of its functions, in the column in which they were taken.
#[test]
fn latencies_over_time_are_those_of_the_histograms() {
    const MS: u64 = 1_000_000;
    let memory = Memory::new(2);
    let mut writer = memory.writer();
    let threads = [memory.thread(0, "a"), memory.thread(1, "b")];
    let functions = [
        (Function::Read, "transfer"),
        (Function::Fsync, "transfer"),
        (Function::Poll, "wait"),
        (Function::Open, "other"),
    ];
    for look in 1..=30 {
        for (number, (function, _)) in (1..).zip(functions) {
            for call in 0..look * number {
                threads[call as usize % 2].timed(function, 1, 3, 0, 900 * number + call);
            }
        }
        threads[0].timed(Function::Malloc, 8, -1, 0, 40);
        writer.poll(after(look * 10 * MS));
    }
    // More than its ring takes.
    for _ in 0..ring::CAPACITY + 70 {
        threads[0].timed(Function::Read, 1, 3, 0, 500);
    }
    let process = writer.process(after(995 * MS), exited());
    assert!(process.missed.dropped_samples >= 70);
    let over_time = process.latency_over_time.as_ref().expect("cells");
    assert_eq!(over_time.interval_ns, 5 * MS);
    for activity in ["transfer", "wait", "other"] {
        let of_activity = functions.iter().filter(|(_, name)| *name == activity);
        let samples = of_activity.map(|(function, _)| {
            let latency = process.functions[function.name()].latency.as_ref();
            latency.map_or(0, |latency| latency.timed - latency.dropped)
        });
        let cells = &over_time.activities[activity];
        let sum: u64 = cells.iter().map(|cell| cell.2).sum();
        assert_eq!(sum, samples.sum::<u64>(), "{activity}");
    }
    assert_eq!(over_time.activities.len(), 3, "none of the allocations");
    // 3 calls in the first look, of 2.7 µs each; 6 in the second.
    let waits = &over_time.activities["wait"][..2];
    assert_eq!(waits, [LatencyCell(2, 22, 3), LatencyCell(4, 22, 6)]);
    let last = over_time.activities["transfer"].last();
    assert_eq!(last.map(|cell| (cell.0, cell.1)), Some((199, 17)));
}

#[test]
fn what_was_not_timed_is_not_there_over_time() {
    let memory = Memory::new(1);
    memory.thread(0, "t").call(Function::Read, 1);
    let process = memory.writer().process(after(2_000_000), exited());
    assert_eq!(process.latency_over_time, None);
    let text = serde_json::to_string(&process).expect("JSON");
    assert!(!text.contains("latency_over_time"));
}
