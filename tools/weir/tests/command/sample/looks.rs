//! What looks at slow calls found.

use weir_report::model::{Looks, Process};

const MS: u64 = 1_000_000;

/// The process, with the looks of one that `weir run` has watched.
pub fn looked_at(mut process: Process) -> Process {
    let calls = process.slowest.iter_mut();
    for call in calls.chain(&mut process.longest_waits) {
        call.looks = of(&call.function, call.took_ns);
        let function = process.functions.get_mut(&call.function);
        if let (Some(looks), Some(function)) = (call.looks, function) {
            function.looks.get_or_insert_default().add(&looks);
        }
    }
    process
}

/// Every 2 ms; from an age on ever more seldom.
fn of(function: &str, took_ns: u64) -> Option<Looks> {
    let (part, from_ns) = match function {
        "fsync" | "openat" | "read" | "write" => (16.0, 32 * MS),
        _ => (2.0, 4 * MS),
    };
    let often = took_ns.min(from_ns).checked_sub(2 * MS)? / (2 * MS);
    let seldom = part * (took_ns as f64 / from_ns as f64).ln();
    let all = often + seldom as u64;
    let few = all / 10;
    let looks = match function {
        "fsync" => Looks {
            disk: all - few,
            asleep: few,
            ..Looks::default()
        },
        "write" => Looks {
            running: all,
            ..Looks::default()
        },
        _ => Looks {
            asleep: all,
            ..Looks::default()
        },
    };
    (all > 0).then_some(looks)
}
