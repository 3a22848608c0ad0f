//! Sums of call sites, exact or estimated from samples.

use weir_report::model::{Process, Report, Stacks};

use super::{Figure, Value};
use crate::check::budget::Limit;
use crate::cli::Metric;
use crate::report::loss::{self, About, Loss, Suffered};
use crate::report::sites::places::Places;
use crate::text;
use crate::units::Unit;

/// The part of estimates that lies above or below their bounds is a twentieth.
const Z: f64 = 1.645;
/// Of what has no sample, it is as likely that there is this many times the distance of samples.
const NONE_SEEN: f64 = 3.0;

/// The sums over call sites that have a name in a budget.
const OF_SITES: [(&str, Metric); 7] = [
    ("leak_bytes", Metric::Live),
    ("peak_bytes", Metric::Peak),
    ("requested_bytes", Metric::Bytes),
    ("calls", Metric::Calls),
    ("temporary_blocks", Metric::Temporary),
    ("moved_bytes", Metric::Moved),
    ("time", Metric::Time),
];

/// The sums of each call site.
pub fn of_each<'r>(
    report: &'r Report,
    words: &[&str],
    limit: &Limit,
    places: &Places<'_>,
) -> Result<Vec<Figure<'r>>, String> {
    let known = OF_SITES.iter().find(|(name, _)| words == [*name]);
    let Some(&(_, metric)) = known else {
        let names = OF_SITES.map(|(name, _)| name).join(", ");
        return Err(format!(
            "sites have no metric '{}'; they have {names}",
            words.join(".")
        ));
    };
    let unit = match metric {
        Metric::Calls | Metric::Temporary => Unit::Count,
        Metric::Time => Unit::Time,
        _ => Unit::Bytes,
    };
    let one = |value, losses| Figure {
        of: String::new(),
        key: Default::default(),
        unit,
        value,
        losses,
    };
    let is_of_heap = matches!(metric, Metric::Live | Metric::Peak | Metric::Temporary);
    if let Some(reason) = report.heap.not_known.as_ref().filter(|_| is_of_heap) {
        let reason = format!("the heap is not known: {reason}");
        return Ok(vec![one(Value::Unknown(reason), Vec::new())]);
    }
    let (Some(sites), Some(sums)) = (places.sites(), places.sums(metric, None, &limit.ignore))
    else {
        let reason = "the report has no call stacks; weir run --stacks all records them".to_owned();
        return Ok(vec![one(Value::Unknown(reason), Vec::new())]);
    };
    let stacks = &sites.stacks;
    let about = if is_of_heap { About::Heap } else { About::All };
    let mut losses = loss::suffered(&report.missed, about);
    losses.extend(untracked(stacks).filter(|_| is_of_heap));
    losses.extend(without_stacks(report));
    let is_estimate = |called: &str| {
        stacks
            .sampled_bytes
            .filter(|_| is_of_heap || loss::is_of_heap(called))
    };
    let value = |sum: u64, sampled: Option<u64>| match sampled {
        None => Value::Exact(i128::from(sum)),
        Some(_) if unit != Unit::Bytes => {
            let reason = "allocations were sampled; weir run --stacks all counts them".to_owned();
            Value::Unknown(reason)
        }
        Some(distance) => estimate(sum, distance),
    };
    let mut figures: Vec<Figure<'r>> = sums
        .into_iter()
        .map(|place| Figure {
            of: place.name,
            value: value(place.sum, is_estimate(&place.key.1)),
            key: place.key,
            unit,
            losses: losses.clone(),
        })
        .collect();
    // A site that no sample fell on may be there, too.
    if figures.is_empty() || (is_of_heap && stacks.sampled_bytes.is_some()) {
        let sampled = stacks.sampled_bytes.filter(|_| is_of_heap);
        figures.push(one(value(0, sampled), losses));
    }
    Ok(figures)
}

/// A sum of bytes that was estimated from samples, one for so many bytes on average. The standard error is at most the root of the
/// sum times that number.
fn estimate(sum: u64, distance: u64) -> Value<'static> {
    let (sum_f, distance) = (sum as f64, distance as f64);
    let error = Z * (sum_f * distance).sqrt();
    Value::Between {
        value: i128::from(sum),
        low: (sum_f - error).max(0.0) as i128,
        high: (sum_f + error + NONE_SEEN * distance) as i128,
    }
}

/// Processes that have no call sites, though they made calls.
fn without_stacks(report: &Report) -> Option<Suffered> {
    let called = |process: &&Process| {
        process
            .functions
            .values()
            .any(|function| function.calls > 0)
    };
    let processes = report
        .processes
        .iter()
        .filter(|process| process.stacks.is_none());
    let count = processes.filter(called).map(Process::stands_for).sum();
    let processes = text::counted(count, "process has", "processes have");
    let sentence = format!("{processes} no call stacks");
    (count > 0).then_some((Loss::Unlisted, sentence))
}

fn untracked(stacks: &Stacks) -> Option<Suffered> {
    let blocks = stacks
        .untracked_blocks
        .saturating_add(stacks.untracked_frees);
    let counted = text::counted(blocks, "block is", "blocks are");
    let sentence = format!("{counted} at no site, or still at one, for want of memory");
    (blocks > 0).then_some((Loss::Unlisted, sentence))
}
