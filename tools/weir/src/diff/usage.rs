//! What processes took of the machine, as numbers that are compared.

use weir_report::model::Report;

use super::number::{Number, whole};
use crate::report::taken::{self, Taken};
use crate::units::Unit;

/// The numbers, by the names of a budget; none where no process was read. Where one was not read up to its end, each is the least that it
/// can be.
pub fn of(report: &Report) -> Vec<(&'static str, Unit, Number)> {
    let processes = taken::of_each(&report.processes);
    let Some(all) = Taken::by_all(&processes) else {
        return Vec::new();
    };
    let read = processes.iter().filter(|of| of.taken.is_some()).count();
    let is_whole = taken::unread(&processes) == 0;
    let numbers = [
        ("usage.resident_bytes", Unit::Bytes, all.resident_bytes),
        ("usage.cpu_ns", Unit::Time, all.cpu_ns),
        ("usage.minor_faults", Unit::Count, all.minor_faults),
        ("usage.major_faults", Unit::Count, all.major_faults),
    ];
    let numbers = numbers.map(|(metric, unit, value)| {
        let (less, more) = taken::errors(unit, read);
        let number = Number::Read {
            low: whole(value.saturating_sub(less)),
            value: whole(value),
            high: match is_whole {
                true => whole(value.saturating_add(more)),
                false => i64::MAX,
            },
        };
        (metric, unit, number)
    });
    numbers.to_vec()
}
