//! Whether threads sleep in slow calls, beside what the kernel says of their time on a processor.

use weir_report::model::{Looks, SlowCall};

use crate::support::{Mode, Outcome, Program, victim};

/// A call as the victim saw it.
struct Told {
    function: String,
    tid: u32,
    took_us: u64,
    ran_us: u64,
}

fn told(outcome: &Outcome) -> Vec<Told> {
    let text = outcome.text();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: usize| words[word].parse().expect("a number");
        Told {
            function: words[0].to_owned(),
            tid: number(1) as u32,
            took_us: number(2),
            ran_us: number(3),
        }
    };
    text.lines().map(line).collect()
}

fn run(program: &Program) -> Outcome {
    program.run(Mode::Run).expect_status(0)
}

/// The slow calls of the victim's functions, each with what the victim saw of it: the nearest one in duration of its thread.
fn calls(outcome: &Outcome) -> Vec<(SlowCall, Told)> {
    let process = outcome.process();
    let all = process.slowest.iter().chain(&process.longest_waits);
    let mut told = told(outcome);
    let mut pairs = Vec::new();
    for call in all {
        let took_us = call.took_ns / 1000;
        let of = |told: &&Told| told.tid == call.tid && told.function == call.function;
        let nearest = told
            .iter()
            .filter(of)
            .min_by_key(|told| told.took_us.abs_diff(took_us));
        let place =
            nearest.and_then(|nearest| told.iter().position(|of| std::ptr::eq(of, nearest)));
        if let Some(place) = place {
            pairs.push((call.clone(), told.swap_remove(place)));
        }
    }
    pairs
}

#[test]
fn who_sleeps_in_a_call_and_who_works_are_told_apart() {
    let outcome = run(&Program::new(victim("slow_reads")));
    let calls = calls(&outcome);
    let functions = &outcome.process().functions;
    for (name, sleeps) in [("read", true), ("nanosleep", true), ("pread", false)] {
        let of: Vec<_> = calls
            .iter()
            .filter(|(call, _)| call.function == name)
            .collect();
        assert_eq!(of.len(), 3, "{name}");
        let mut sum = Looks::default();
        for (call, told) in of {
            let slept = told.ran_us < 50_000;
            assert_eq!(slept, sleeps, "the kernel agrees: {name}");
            let Some(looks) = call.looks else {
                panic!("{call:?}");
            };
            sum.add(&looks);
            let (states, others) = match sleeps {
                true => (looks.asleep, looks.running),
                false => (looks.running, looks.asleep),
            };
            // On a busy machine, who has slept waits for a processor.
            assert!(states > 0 && states > others * 2, "{call:?}");
            assert_eq!(looks.stopped, 0, "{call:?}");
            // Every 2 ms; after 32 ms ever more seldom.
            let most = 16 + 1 + (16.0 * (call.took_ns as f64 / 32e6).ln().max(0.0)) as u64;
            assert!(looks.sum() <= most, "{call:?}");
        }
        assert_eq!(functions[name].looks, Some(sum), "{name}");
    }
    for (name, function) in functions.iter().filter(|(_, of)| of.looks.is_some()) {
        let longest_ns = function.latency.as_ref().map(|latency| latency.max_ns);
        assert!(longest_ns >= Some(2_000_000), "{name}: {function:?}");
    }
}

/// A call that has not returned has what was seen of it until then, and so has one of a process that is stopped.
#[test]
fn calls_in_flight_have_looks() {
    let program = Program::new("/bin/sh").args([
        "-c",
        "sleep 60 & sleeper=$!; sleep 0.5; kill -STOP $sleeper; sleep 0.5; kill -KILL $sleeper; wait",
    ]);
    let outcome = run(&program);
    let processes = outcome.processes();
    let mut in_flight = processes.iter().flat_map(|process| &process.in_flight);
    let call = in_flight.find(|call| call.function.contains("nanosleep"));
    let looks = call.and_then(|call| call.looks).expect("looks");
    assert!(looks.asleep > 5 && looks.stopped > 0, "{looks:?}");
    assert_eq!(looks.disk + looks.running, 0, "{looks:?}");
}

/// In a pid namespace of their own, threads have numbers that are others' outside.
#[test]
fn those_of_another_namespace_are_no_others() {
    let program = Program::new(victim("slow_reads"));
    let outcome = run(&program.by("unshare", &["--pid", "--fork"]));
    let processes = outcome.processes();
    let process = processes
        .iter()
        .find(|process| process.functions.contains_key("pread"))
        .expect("the victim");
    let looks = |name: &str| process.functions[name].looks;
    // Of the first thread, the number is known.
    assert!(looks("nanosleep").is_some_and(|looks| looks.asleep > 0));
    assert_eq!((looks("read"), looks("pread")), (None, None));
}

/// Nobody looks where the writer is in the program.
#[test]
fn without_weir_run_there_are_no_looks() {
    let outcome = Program::new(victim("slow_reads"))
        .run(Mode::Bare)
        .expect_status(0);
    let process = outcome.process();
    assert!(
        process
            .functions
            .values()
            .all(|function| function.looks.is_none())
    );
    let slow = process.slowest.iter().chain(&process.longest_waits);
    assert!(slow.clone().any(|call| call.took_ns > 100_000_000));
    assert!(slow.clone().all(|call| call.looks.is_none()));
}
