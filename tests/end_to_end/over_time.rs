//! How long calls took, and when: the cells beside the histograms, and beside a program that changes its ways.

use weir_record::functions::{Function, Timing};
use weir_report::model::{LatencyCell, Process};

use crate::support::{Mode, Program, victim};

const MS: u64 = 1_000_000;

/// The samples of some functions of a process, by their histograms.
fn samples(process: &Process, which: impl Fn(Function) -> bool) -> u64 {
    let functions = process.functions.iter().filter(|(name, _)| {
        let function = Function::from_name(name).expect("a known function");
        function.row().family.timing() == Timing::Always && which(function)
    });
    functions
        .filter_map(|(_, function)| function.latency.as_ref())
        .map(|latency| latency.timed - latency.dropped)
        .sum()
}

#[test]
fn slow_calls_are_where_they_were_and_none_is_lost() {
    for mode in Mode::MEASURED {
        let program = Program::new(victim("reads_fast_then_slow"));
        let outcome = program.run(mode).expect_status(0);
        let text = outcome.text();
        let said: Vec<u64> = text
            .split_whitespace()
            .map(|word| word.parse().expect("a number"))
            .collect();
        let [began_unix_ns, ended_unix_ns, fast_reads] = said[..] else {
            panic!("{text}");
        };
        let processes = outcome.processes();
        assert_eq!(processes.len(), 2);
        for process in &processes {
            let over_time = process.latency_over_time.as_ref().expect("cells");
            let of = |activity: &str| over_time.activities.get(activity).into_iter().flatten();
            let sum = |activity: &str| of(activity).map(|cell| cell.2).sum::<u64>();
            let all: u64 = over_time.activities.keys().map(|name| sum(name)).sum();
            assert_eq!(all, samples(process, |_| true), "{mode:?}");
            let transfers = samples(process, |of| matches!(of, Function::Read | Function::Write));
            assert!(transfers > 0 && sum("transfer") >= transfers, "{mode:?}");
            assert_eq!(
                sum("wait"),
                samples(process, weir_report::waits),
                "{mode:?}"
            );
            for cells in over_time.activities.values() {
                let next = cells.iter().skip(1);
                assert!(cells.iter().zip(next).all(|(a, b)| (a.0, a.1) < (b.0, b.1)));
                assert!(cells.iter().all(|cell| cell.0 < 200 && cell.1 < 128));
            }
        }
        // A program with one thread looks at its own samples when there are many, and when it ends.
        if mode == Mode::Bare {
            continue;
        }
        let process = processes[0];
        let over_time = process.latency_over_time.as_ref().expect("cells");
        let interval_ns = over_time.interval_ns;
        assert!(interval_ns >= 10 * MS && (interval_ns / (5 * MS)).is_power_of_two());
        let cells = &over_time.activities["transfer"];
        // 30 ms are 2^24.84 ns.
        let (slow, fast): (Vec<&LatencyCell>, Vec<&LatencyCell>) =
            cells.iter().partition(|cell| cell.1 >= 49);
        // A look is at most 25 ms later; on a busy machine some more.
        let since_start = |unix_ns: u64| unix_ns - process.started_unix_ns;
        let slow_columns = since_start(began_unix_ns) / interval_ns
            ..=(since_start(ended_unix_ns) + 200 * MS) / interval_ns;
        let (there, elsewhere): (Vec<&LatencyCell>, Vec<&LatencyCell>) = slow
            .iter()
            .partition(|cell| slow_columns.contains(&u64::from(cell.0)));
        let calls = |cells: &[&LatencyCell]| cells.iter().map(|cell| cell.2).sum::<u64>();
        // On a busy machine the reader may come late, and wait less; and a fast call may wait for a processor as long.
        assert!((30..=50).contains(&calls(&there)), "{there:?}");
        assert!(2 * calls(&elsewhere) < calls(&there), "{elsewhere:?}");
        let short = there.iter().copied().filter(|cell| cell.1 <= 50);
        let short_calls = calls(&short.collect::<Vec<_>>());
        assert!(2 * short_calls >= calls(&there), "{there:?}");
        let read = process.functions["read"].latency.as_ref().expect("timed");
        assert!(fast_reads > 10_000, "{fast_reads}");
        let early = (since_start(began_unix_ns) + 200 * MS) / interval_ns;
        let early = fast.iter().filter(|cell| u64::from(cell.0) <= early);
        let early_calls: u64 = early.map(|cell| cell.2).sum();
        assert!(early_calls + read.dropped >= fast_reads, "{early_calls}");
        // They are spread over their second.
        let mut columns: Vec<u32> = fast.iter().map(|cell| cell.0).collect();
        columns.dedup();
        let expected = 1000 * MS / interval_ns;
        assert!(columns.len() as u64 > expected / 4, "{columns:?}");
    }
}
