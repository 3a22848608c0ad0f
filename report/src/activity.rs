//! What calls were for: moving bytes, waiting, locks, and the rest.

use std::collections::BTreeMap;

use weir_record::clock::Rate;
use weir_record::functions::{Family, Function, Role, Timing};

use crate::model::Activity;
use crate::totals::Totals;

const WAIT: &str = "wait";
const LOCK: &str = "lock";
const MEMORY_MAP: &str = "memory_map";
const TRANSFER: &str = "transfer";
const OTHER: &str = "other";
/// The names that activities have. A report has those that occurred.
pub const ACTIVITIES: [&str; 5] = [TRANSFER, WAIT, LOCK, MEMORY_MAP, OTHER];

/// Whether a function waits for something to happen, and moves nothing.
pub fn waits(function: Function) -> bool {
    let row = function.row();
    matches!(row.family, Family::Wait | Family::Lock)
        || matches!(row.role, Role::Accept)
        || matches!(function, Function::Connect | Function::ConnectAlias)
}

/// Whether the time of an activity passed waiting.
pub fn is_wait(activity: &str) -> bool {
    [WAIT, LOCK].contains(&activity)
}

/// The activities of a process image, by name.
pub fn activities(totals: &Totals, rate: Option<Rate>) -> BTreeMap<String, Activity> {
    let mut activities: BTreeMap<String, Activity> = BTreeMap::new();
    for (function, total) in totals.functions() {
        let Some(activity) = of(function).filter(|_| total.calls != 0) else {
            continue;
        };
        // A call is counted where it belongs; its wait, where it is known, is time that passed waiting.
        let waited_ticks = total.wait_ticks.min(total.ticks);
        for (name, calls, ticks) in [
            (activity, total.calls, total.ticks - waited_ticks),
            (WAIT, 0, waited_ticks),
        ] {
            if calls != 0 || ticks != 0 {
                let activity = activities.entry(name.to_owned()).or_default();
                activity.calls = activity.calls.saturating_add(calls);
                let ns = rate.map_or(0, |rate| rate.ns(ticks));
                activity.total_ns = activity.total_ns.saturating_add(ns);
            }
        }
    }
    activities
}

/// The activity of a function's calls; none where they are not always timed.
pub fn of(function: Function) -> Option<&'static str> {
    let row = function.row();
    if row.family.timing() != Timing::Always {
        return None;
    }
    Some(if row.family == Family::Lock {
        LOCK
    } else if waits(function) {
        WAIT
    } else if row.family == Family::Map {
        MEMORY_MAP
    } else if matches!(row.role, Role::Read | Role::Write | Role::Move | Role::Sync) {
        TRANSFER
    } else {
        OTHER
    })
}

/// Those of several images together.
pub fn together<'a>(
    images: impl Iterator<Item = &'a BTreeMap<String, Activity>>,
) -> BTreeMap<String, Activity> {
    let mut sums: BTreeMap<String, Activity> = BTreeMap::new();
    for (name, part) in images.flatten() {
        let sum = sums.entry(name.clone()).or_default();
        sum.calls = sum.calls.saturating_add(part.calls);
        sum.total_ns = sum.total_ns.saturating_add(part.total_ns);
    }
    sums
}
