//! Whether threads sleep in slow calls: the region shows the call that each thread is in, and since when; /proc shows the thread's
//! state (proc_pid_stat(5)). The program does nothing for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;

use weir_record::clock::{Moment, Rate};
use weir_record::functions::Function;
use weir_record::slot::Slot;
use weir_report::model::{Looks, Process};
use weir_report::waits;

use super::allowance::Allowance;
use super::life::{self, Stat};
use super::namespaces::Namespace;
use super::seen::Seen;

/// How old a call is at its first look.
const LEAST_AGE_NS: u64 = 2_000_000;
/// How far apart looks at a process are at least.
const APART_NS: u64 = 2_000_000;
/// How far apart looks at a call are at least, as a part of its age.
const PART_OF_AGE: u64 = 16;
/// The same of a call that waits: that it sleeps is known before, and it may take hours.
const PART_OF_WAIT: u64 = 2;
/// A call may have begun so many ticks later than its thread's slot says.
const STEP_TICKS: u64 = 1 << 20;
/// By how much more the times of a call may differ: they are rounded.
const BLUR_NS: u64 = 1_000;
/// Of how many calls that are over the looks are kept.
const MOST_OVER: usize = 256;
/// Of how many that wait, and of how many others, where there were too many. A process has fewer of each in its report.
const MOST_OF_A_KIND: usize = 64;

/// Looks at the threads of one process.
#[derive(Debug)]
pub struct Watch {
    seen: Seen,
    /// Its id in its own pid namespace.
    own: u32,
    /// When the process started, as in [`life::Life`].
    since: u64,
    /// When the next looks may be, on the monotonic clock.
    due_ns: u64,
    /// The place of the slot at which they begin.
    first: usize,
    /// The slow calls that threads are in, by the places of their slots.
    under_way: BTreeMap<usize, Looked>,
    /// The longest of those that are over.
    over: Vec<Looked>,
    /// All looks, by function.
    of_functions: BTreeMap<&'static str, Looks>,
}

/// A call that a thread is in, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    tid: u32,
    function: Function,
    began_ticks: u64,
}

/// What was seen of a call.
#[derive(Clone, Copy, Debug)]
struct Looked {
    call: Call,
    looks: Looks,
    /// How old the call was at the last look.
    age_ns: u64,
}

impl Call {
    /// The call that the slot's thread is in, in an image that started then; none where it is not known since when.
    fn of(slot: &Slot, started: Moment) -> Option<Call> {
        let begun = slot.in_flight.get(started.ticks)?;
        slot.owner.is_taken().then_some(Call {
            tid: slot.owner.tid(),
            function: begun.function,
            began_ticks: begun.began_ticks?,
        })
    }
}

impl Watch {
    /// For a process that started so many ticks after boot, and has this id in its own pid namespace.
    pub fn new(seen: Seen, since: u64, own: u32) -> Watch {
        Watch {
            seen,
            own,
            since,
            due_ns: 0,
            first: 0,
            under_way: BTreeMap::new(),
            over: Vec::new(),
            of_functions: BTreeMap::new(),
        }
    }

    /// Looks at the threads that are in slow calls now, as far as looks are due and allowed. The slots are those of an image that
    /// started then.
    pub fn look(
        &mut self,
        slots: &[Slot],
        started: Moment,
        now: Moment,
        allowance: &mut Allowance,
    ) {
        if now.monotonic_ns < self.due_ns || !allowance.allows(false) {
            return;
        }
        self.due_ns = now.monotonic_ns.saturating_add(APART_NS);
        let Some(rate) = Rate::between(started, now) else {
            return;
        };
        let least_age_ns = LEAST_AGE_NS.saturating_add(rate.ns(STEP_TICKS));
        let first = self.first;
        for step in 0..slots.len() {
            let place = (first + step) % slots.len();
            let slot = &slots[place];
            let Some(call) = Call::of(slot, started) else {
                self.end(place);
                continue;
            };
            let age_ns = rate.ns(now.ticks.saturating_sub(call.began_ticks));
            let is_due = match self.under_way.get(&place) {
                Some(looked) if looked.call == call => looked.is_due(age_ns),
                _ => {
                    self.end(place);
                    age_ns >= least_age_ns
                }
            };
            if !is_due || !allowance.allows(waits(call.function)) {
                continue;
            }
            self.first = place + 1;
            let began = Instant::now();
            let found = self.state_of(call.tid);
            allowance.spend(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
            // Else it may be the state after the call.
            let found = found.filter(|_| Call::of(slot, started) == Some(call));
            self.note(place, call, age_ns, found.unwrap_or_default());
        }
    }

    /// Adds the looks to the report of the process, as of an image that started then and is reported as it was at this moment.
    pub fn report_in(&self, process: &mut Process, started: Moment, now: Moment) {
        for (name, looks) in &self.of_functions {
            if let Some(function) = process.functions.get_mut(*name) {
                function.looks = Some(*looks);
            }
        }
        let Some(rate) = Rate::between(started, now) else {
            return;
        };
        let find = |tid: u32, function: &str, at_ns: u64| {
            let mut all = self.over.iter().chain(self.under_way.values());
            let found = all.find(|Looked { call, .. }| {
                let ns = |ticks: u64| rate.ns(ticks.saturating_sub(started.ticks));
                let from_ns = ns(call.began_ticks).saturating_sub(BLUR_NS);
                let to_ns = ns(call.began_ticks.saturating_add(STEP_TICKS)) + BLUR_NS;
                let is_then = (from_ns..=to_ns).contains(&at_ns);
                call.tid == tid && call.function.name() == function && is_then
            })?;
            Some(found.looks).filter(|looks| looks.sum() > 0)
        };
        let slow = process.slowest.iter_mut().chain(&mut process.longest_waits);
        for call in slow {
            call.looks = find(call.tid, &call.function, call.at_ns);
        }
        for call in &mut process.in_flight {
            call.looks = { call.at_ns }.and_then(|at_ns| find(call.tid, &call.function, at_ns));
        }
    }

    /// What a look at a thread finds, which has this id in its own pid namespace. None where there is no such thread, or its id is
    /// not known here.
    fn state_of(&self, tid: u32) -> Option<Looks> {
        let Seen { pid, namespace, .. } = self.seen;
        let here = match namespace {
            Namespace::Here | Namespace::Unknown => tid,
            Namespace::Other(_) | Namespace::Elsewhere if tid == self.own => pid,
            Namespace::Other(_) | Namespace::Elsewhere => return None,
        };
        let mut text = [0; life::MOST_BYTES];
        let stat = life::read_in(&format!("/proc/{pid}/task/{here}"), &mut text)?;
        // Another process may have the id by now.
        let since: u64 = stat.number(22)?;
        let is_it = match here == pid {
            true => since == self.since,
            false => since >= self.since,
        };
        found(&stat).filter(|_| is_it)
    }

    fn note(&mut self, place: usize, call: Call, age_ns: u64, found: Looks) {
        let looked = self.under_way.entry(place).or_insert(Looked {
            call,
            looks: Looks::default(),
            age_ns,
        });
        looked.looks.add(&found);
        looked.age_ns = age_ns;
        if found.sum() > 0 {
            let sum = self.of_functions.entry(call.function.name()).or_default();
            sum.add(&found);
        }
    }

    /// The call that the thread of this slot was in, if any was looked at, is over.
    fn end(&mut self, place: usize) {
        let looked = self.under_way.remove(&place);
        self.over
            .extend(looked.filter(|looked| looked.looks.sum() > 0));
        if self.over.len() > MOST_OVER {
            self.over.sort_by_key(|looked| Reverse(looked.age_ns));
            let mut left = [MOST_OF_A_KIND; 2];
            self.over.retain(|looked| {
                let left = &mut left[usize::from(waits(looked.call.function))];
                let is_kept = *left > 0;
                *left = left.saturating_sub(1);
                is_kept
            });
        }
    }
}

impl Looked {
    /// Whether another look is due at this age of the call.
    fn is_due(&self, age_ns: u64) -> bool {
        let part = match waits(self.call.function) {
            true => PART_OF_WAIT,
            false => PART_OF_AGE,
        };
        let apart_ns = APART_NS.max(self.age_ns / part);
        age_ns >= self.age_ns.saturating_add(apart_ns)
    }
}

/// The look that found a thread like that; none where it has ended.
fn found(stat: &Stat<'_>) -> Option<Looks> {
    let mut looks = Looks::default();
    let state = match stat.state()? {
        "R" => &mut looks.running,
        "S" | "I" => &mut looks.asleep,
        "D" => &mut looks.disk,
        "T" | "t" => &mut looks.stopped,
        _ => return None,
    };
    *state = 1;
    Some(looks)
}

#[cfg(test)]
mod tests;
