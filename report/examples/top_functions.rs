//! The functions that a program spent most time in, from a report of Weir.
//!
//!     cargo run -p weir-report --example top_functions -- report/examples/shop.json

use std::cmp::Reverse;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use weir_report::model::{Function, Report};
use weir_report::read;

/// How many functions are shown.
const MOST: usize = 10;
/// What Weir's own commands return where they could not do their work.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: top_functions REPORT");
        return ExitCode::from(FAILED);
    };
    match read::load(Path::new(&file)) {
        Ok(report) => {
            print!("{}", table(&report));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            let cause = cause.unwrap_or_default();
            eprintln!("cannot read {}: {error}{cause}", file.display());
            ExitCode::from(FAILED)
        }
    }
}

/// The time of all calls. Of functions of which only some calls are timed, it is an estimate, or what is known.
fn total_ns(function: &Function) -> u64 {
    match (&function.estimated, &function.latency) {
        (Some(estimate), _) => estimate.total_ns,
        (None, Some(latency)) => latency.total_ns,
        (None, None) => 0,
    }
}

/// A line for each of them, the one with the most time first.
fn table(report: &Report) -> String {
    let called = report.functions.iter().filter(|(_, of)| of.calls > 0);
    let mut functions: Vec<(&String, &Function)> = called.collect();
    functions.sort_by_key(|(_, function)| Reverse(total_ns(function)));
    let mut table = format!(
        "{:<20} {:>12} {:>8} {:>14} {:>12}\n",
        "function", "calls", "errors", "total ns", "p99 ns"
    );
    for (name, function) in functions.into_iter().take(MOST) {
        let latency = function.latency.as_deref();
        // None where no call was timed, or all samples were lost.
        let p99_ns = latency.and_then(|latency| latency.of_histogram(|of| of.p99_ns));
        let p99_ns = p99_ns.map_or_else(|| "–".to_owned(), |ns| ns.to_string());
        table += &format!(
            "{name:<20} {:>12} {:>8} {:>14} {p99_ns:>12}\n",
            function.calls,
            function.errors,
            total_ns(function),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_with_the_most_time_are_first() {
        let report = read::load(Path::new("examples/shop.json")).expect("the sample");
        let table = table(&report);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines.len(), 1 + MOST);
        assert_eq!(lines[1][..3], ["fsync", "100", "0"]);
        let read = lines.iter().find(|line| line[0] == "read");
        let latency = report.functions["read"].latency.as_deref();
        let p99_ns = latency.expect("timed calls").p99_ns.to_string();
        assert_eq!(read.expect("it is shown").last(), Some(&&*p99_ns));
        // printf works in memory, and its one call was not among those that are timed.
        assert_eq!(lines.last().map(|line| line[0]), Some("printf"));
        assert_eq!(lines.last().and_then(|line| line.last()), Some(&"–"));
    }
}
