//! Every figure of a report, compared with the test's own count.

use std::collections::{BTreeMap, HashMap};

use weir_record::functions::{Family, Function, Size};
use weir_report::model::ThreadFunction;

use crate::memory::{Memory, Random};

/// Every call of a function, as the test has counted it.
#[derive(Default)]
struct Calls {
    calls: u64,
    sizes: Vec<u64>,
    moved: u64,
    errors: BTreeMap<&'static str, u64>,
    took: Vec<u64>,
}

const ERRNOS: [(i32, &str); 3] = [
    (libc::ENOENT, "ENOENT"),
    (libc::EAGAIN, "EAGAIN"),
    (99_999, "99999"),
];

/// Three threads call all functions, at random. Returns what they did, by thread.
fn run(memory: &Memory, seed: u64) -> Vec<HashMap<Function, Calls>> {
    let mut random = Random::new(seed);
    (0..3)
        .map(|index| {
            let thread = memory.thread(index, "worker");
            let mut known: HashMap<Function, Calls> = HashMap::new();
            for step in 0..5000 {
                let function = Function::ALL[random.below(Function::COUNT as u64) as usize];
                let row = function.row();
                let has_size = row.size != Size::None;
                let size = if has_size { random.magnitude(40) } else { 0 };
                let calls = known.entry(function).or_default();
                calls.calls += 1;
                if has_size {
                    calls.sizes.push(size);
                }
                if random.below(3) == 0 {
                    thread.call(function, size);
                } else {
                    let took = random.magnitude(30);
                    let fd = if row.fd.is_some() { 3 } else { -1 };
                    thread.timed(function, size, fd, 1000 * step, took);
                    calls.took.push(took);
                }
                if row.family == Family::File && random.below(4) == 0 {
                    let (errno, name) = ERRNOS[random.below(3) as usize];
                    thread.failed(function, errno);
                    *calls.errors.entry(name).or_default() += 1;
                } else if row.family == Family::File {
                    let moved = random.magnitude(20);
                    thread.moved(function, moved);
                    calls.moved += moved;
                }
            }
            known
        })
        .collect()
}

#[test]
fn functions_are_what_the_threads_did() {
    let memory = Memory::new(4);
    let threads = run(&memory, 1);
    let report = memory.report(10_000_000_000);
    let mut sums: HashMap<Function, Calls> = HashMap::new();
    for (function, calls) in threads.into_iter().flatten() {
        let sum = sums.entry(function).or_default();
        sum.calls += calls.calls;
        sum.sizes.extend(calls.sizes);
        sum.moved += calls.moved;
        sum.took.extend(calls.took);
        for (name, count) in calls.errors {
            *sum.errors.entry(name).or_default() += count;
        }
    }
    assert_eq!(sums.len(), Function::COUNT, "every function was called");
    assert_eq!(report.functions, report.processes[0].functions);
    for (function, mut sum) in sums {
        let name = function.name();
        let reported = &report.functions[name];
        assert_eq!(reported.family, function.row().family.name());
        assert_eq!(reported.calls, sum.calls, "{name}");
        assert_eq!(
            reported.requested_bytes,
            sum.sizes.iter().sum::<u64>(),
            "{name}"
        );
        assert_eq!(reported.moved_bytes, sum.moved, "{name}");
        assert_eq!(reported.errors, sum.errors.values().sum::<u64>(), "{name}");
        let errors: BTreeMap<&str, u64> = reported
            .errors_by_errno
            .iter()
            .map(|(errno, &count)| (errno.as_str(), count))
            .collect();
        assert_eq!(errors, sum.errors, "{name}");

        let within = |from: u64, to: u64| {
            sum.sizes
                .iter()
                .filter(|&&size| (from..=to).contains(&size))
                .count()
        };
        let classes = &reported.size_classes;
        assert_eq!(
            classes.iter().map(|class| class.calls).sum::<u64>(),
            sum.sizes.len() as u64
        );
        for class in classes {
            let calls = within(class.from_bytes, class.to_bytes);
            assert_eq!(class.calls, calls as u64, "{name} {class:?}");
            assert_ne!(class.calls, 0, "only classes that occurred");
            let is_doubling = class.to_bytes == (2 * class.from_bytes).saturating_sub(1).max(1);
            assert!(is_doubling, "{class:?}");
        }

        sum.took.sort_unstable();
        let latency = reported.latency.as_ref().expect("timed");
        let total: u64 = sum.took.iter().sum();
        assert_eq!(
            (latency.timed, latency.dropped),
            (sum.took.len() as u64, 0),
            "{name}"
        );
        assert_eq!(latency.total_ns, total, "{name}");
        assert_eq!(latency.mean_ns, total / latency.timed, "{name}");
        assert_eq!(latency.max_ns, *sum.took.last().unwrap(), "{name}");
        let close = |told: u64, truth: u64| told.abs_diff(truth) <= truth / 100;
        assert!(close(latency.min_ns, sum.took[0]), "{name}");
        for (told, quantile) in [
            (latency.p50_ns, 0.5),
            (latency.p90_ns, 0.9),
            (latency.p99_ns, 0.99),
            (latency.p99_9_ns, 0.999),
        ] {
            let place = (quantile * sum.took.len() as f64).ceil() as usize - 1;
            let truth = sum.took[place];
            assert!(close(told, truth), "{name} {quantile}: {told} for {truth}");
        }
    }
}

#[test]
fn threads_are_what_each_did() {
    let memory = Memory::new(4);
    let known = run(&memory, 2);
    memory.count_common(Function::Malloc, 10);
    let report = memory.report(10_000_000_000);
    let threads = &report.processes[0].threads;
    assert_eq!(threads.len(), 4);
    for (index, known) in known.iter().enumerate() {
        let thread = &threads[index];
        assert_eq!(
            (thread.tid, thread.name.as_str()),
            (100 + index as u32, "worker")
        );
        assert_eq!(
            (thread.threads, thread.started_ns),
            (1, 1000 * index as u64)
        );
        assert!(!thread.running, "the image has ended");
        assert_eq!(thread.functions.len(), known.len());
        for (function, calls) in known {
            let expected = ThreadFunction {
                calls: calls.calls,
                errors: calls.errors.values().sum(),
                requested_bytes: calls.sizes.iter().sum(),
                moved_bytes: calls.moved,
                timed: calls.took.len() as u64,
                total_ns: calls.took.iter().sum(),
            };
            assert_eq!(thread.functions[function.name()], expected);
        }
    }
    assert_eq!(
        (threads[3].tid, threads[3].functions["malloc"].calls),
        (0, 1)
    );
}

#[test]
fn the_slowest_calls_are_reported_with_all_that_is_known_of_them() {
    let memory = Memory::new(2);
    let (first, second) = (memory.thread(0, "a"), memory.thread(1, "b"));
    for step in 1..=30 {
        first.timed(Function::Malloc, step, -1, 10 * step, 100 * step);
        second.timed(Function::Read, 2 * step, 7, 20 * step, 100 * step + 1);
        second.timed(Function::Socket, 0, -1, 30 * step, 5);
        second.timed(Function::Poll, 0, -1, 30 * step, 1_000_000 + step);
    }
    let slowest = memory.report(2_000_000).slowest;
    // For each family in each thread, the twelve slowest calls are kept.
    let told: Vec<_> = slowest
        .iter()
        .map(|call| {
            (
                call.function.as_str(),
                call.took_ns,
                call.at_ns,
                call.tid,
                call.size_bytes,
                call.fd,
            )
        })
        .collect();
    let mut expected = Vec::new();
    for step in (21..=30).rev() {
        expected.push((
            "read",
            100 * step + 1,
            20 * step,
            101,
            Some(2 * step),
            Some(7),
        ));
        expected.push(("malloc", 100 * step, 10 * step, 100, Some(step), None));
    }
    assert_eq!(told, expected);
    let waits = memory.report(2_000_000).longest_waits;
    let longest: Vec<_> = waits.iter().map(|call| call.took_ns).collect();
    assert_eq!(longest, (1_000_019..=1_000_030).rev().collect::<Vec<_>>());
    assert!(waits.iter().all(|call| call.function == "poll"));

    let memory = Memory::new(2);
    let thread = memory.thread(0, "many");
    for (step, function) in Function::ALL.into_iter().enumerate() {
        thread.timed(function, 1, -1, 0, 10 + step as u64);
    }
    let report = memory.report(2_000_000);
    assert_eq!(report.slowest.len(), 20);
    assert_eq!(report.slowest, report.processes[0].slowest);
    assert_eq!(report.slowest[0].took_ns, 9 + Function::COUNT as u64);
    assert!(
        report
            .slowest
            .iter()
            .all(|call| call.function != "nanosleep")
    );
}

#[test]
fn what_was_missed_is_counted() {
    let memory = Memory::new(2);
    let thread = memory.thread(0, "t");
    thread.call(Function::Malloc, 1);
    thread.call(Function::Free, 0);
    thread.timed(Function::Read, 1, 3, 0, 10);
    thread.call(Function::Execve, 0);
    thread.slot.counters.of(Function::Malloc).reentrant.add(4);
    thread.slot.counters.of(Function::Write).reentrant.add(3);
    memory.header().uncounted_calls.add(5);
    memory.header().threads_without_slot.add(2);
    for errno in 1..=258 {
        thread.call(Function::Close, 0);
        thread.failed(Function::Close, errno);
    }
    let report = memory.report(2_000_000);
    let missed = &report.missed;
    assert_eq!(missed.untimed_calls, 2 + 258, "an exec is not to be timed");
    assert_eq!(missed.reentrant_calls, 7);
    assert_eq!(report.functions["write"].reentrant, 3);
    assert_eq!(missed.uncounted_calls, 5);
    assert_eq!(missed.threads_without_slot, 2);
    assert_eq!(missed.unlisted_errnos, 2, "the table has room for 256");
    assert_eq!(missed.dropped_samples, 0);
    assert_eq!(report.tool.samples, 1);
}

/// One rule for a process, the report and a thread; a thread has no calls by Weir itself.
#[test]
fn a_function_has_an_entry_if_it_was_called() {
    let memory = Memory::new(1);
    let thread = memory.thread(0, "t");
    thread.call(Function::Malloc, 1);
    thread.slot.counters.of(Function::Write).reentrant.add(1);
    let report = memory.report(2_000_000);
    let process = &report.processes[0];
    for functions in [&report.functions, &process.functions] {
        assert!(functions.keys().eq(["malloc", "write"]));
        assert_eq!(functions["malloc"].latency, None);
        assert_eq!(
            (functions["write"].calls, functions["write"].reentrant),
            (0, 1)
        );
    }
    assert!(process.threads[0].functions.keys().eq(["malloc"]));
}

/// A sum past 2^64 - 1 is told as that, and no sum that wrapped.
#[test]
fn requests_that_no_number_has_room_for() {
    let memory = Memory::new(4);
    let threads = [0, 1].map(|index| memory.thread(index, "worker"));
    for (function, sizes) in [
        (Function::Malloc, &[u64::MAX, 1000, u64::MAX][..]),
        (Function::Calloc, &[3 << 62, 1 << 61]),
        (Function::Realloc, &[1 << 63, 1 << 63]),
        // Their sizes are in the table of the process.
        (Function::Memalign, &[1 << 63, 1 << 63]),
        (Function::Valloc, &[1 << 62, 1 << 62]),
    ] {
        for &size in sizes {
            threads[0].call(function, size);
        }
        threads[1].call(function, 77);
    }
    let report = memory.report(10_000_000_000);
    let told = |name: &str| report.functions[name].requested_bytes;
    assert_eq!(told("malloc"), u64::MAX);
    assert_eq!(told("calloc"), (3 << 62) + (1 << 61) + 77);
    assert_eq!(told("realloc"), u64::MAX);
    assert_eq!(told("memalign"), u64::MAX);
    assert_eq!(told("valloc"), (1 << 63) + 77);
}
