//! A region's counters, summed over its threads.

use weir_record::functions::{Family, Function};
use weir_record::region::Region;
use weir_record::slot::Counters;

/// The counters of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionTotals {
    pub calls: u64,
    pub errors: u64,
    pub requested_bytes: u64,
    pub moved_bytes: u64,
    pub timed: u64,
    pub ticks: u64,
    /// Of calls that were made in two parts, the waits; they are in `ticks`.
    pub wait_ticks: u64,
    pub reentrant: u64,
}

impl FunctionTotals {
    /// Those of one thread.
    pub fn of(counters: &Counters, function: Function) -> FunctionTotals {
        let parts = counters.parts(function);
        let smallest = smallest_sum(counters, function);
        let counters = counters.of(function);
        FunctionTotals {
            wait_ticks: parts.map_or(0, |parts| parts.wait_ticks.get()),
            calls: counters.calls.get(),
            errors: counters.errors.get(),
            requested_bytes: match counters.requested_bytes.get() {
                // The counter wraps, and a sum that is less than twice the smallest possible one is seen to have done so.
                sum if u128::from(sum) < smallest => u64::MAX,
                sum => sum,
            },
            moved_bytes: counters.moved_bytes.get(),
            timed: counters.timed.get(),
            ticks: counters.ticks.get(),
            reentrant: counters.reentrant.get(),
        }
    }

    /// Whether the function was called.
    pub fn were_called(&self) -> bool {
        (self.calls, self.errors, self.reentrant, self.timed) != (0, 0, 0, 0)
    }

    /// Whether there is nothing to report.
    fn is_zero(&self) -> bool {
        *self == FunctionTotals::default()
    }

    fn add(&mut self, other: FunctionTotals) {
        for (total, part) in [
            (&mut self.calls, other.calls),
            (&mut self.errors, other.errors),
            (&mut self.requested_bytes, other.requested_bytes),
            (&mut self.moved_bytes, other.moved_bytes),
            (&mut self.timed, other.timed),
            (&mut self.ticks, other.ticks),
            (&mut self.wait_ticks, other.wait_ticks),
            (&mut self.reentrant, other.reentrant),
        ] {
            *total = total.saturating_add(part);
        }
    }
}

/// The least that the requests of a function can add up to, given how many there were of each class of size.
fn smallest_sum(counters: &Counters, function: Function) -> u128 {
    // Fewer bytes than these never wrap in the time that a computer lasts.
    const LARGE_CLASS: usize = 48;
    let Some(classes) = counters.size_classes(function) else {
        return 0;
    };
    let large = classes.iter().zip(0_u32..).skip(LARGE_CLASS);
    let sums = large.map(|(calls, class)| u128::from(calls.get()) << class);
    sums.fold(0, u128::saturating_add)
}

/// The counters of all threads at about one moment.
#[derive(Debug)]
pub struct Totals {
    /// Those that are not all zero, in the order of the table: most programs call few of the functions.
    functions: Vec<(Function, FunctionTotals)>,
    /// Bytes live in the heap, with those inherited at a fork.
    pub live_bytes: i64,
    /// Calls that made or freed no block although their function's role says so.
    pub blocks_adjustment: i64,
    /// How many slots have a call of an allocation function.
    pub allocating_slots: u64,
}

impl Totals {
    /// Reads the counters as they now are.
    pub fn of(region: Region<'_>) -> Totals {
        let mut totals = Totals {
            functions: Vec::new(),
            live_bytes: region.header.inherited_bytes.get_signed(),
            blocks_adjustment: 0,
            allocating_slots: 0,
        };
        // Where each function stands in the list, plus one.
        let mut places = [0_u16; Function::COUNT];
        for slot in region.slots() {
            totals.allocating_slots += u64::from(totals.add(&slot.counters, &mut places));
        }
        if let Some(common) = region.header.common() {
            totals.add(common, &mut places);
        }
        totals
            .functions
            .sort_unstable_by_key(|(function, _)| function.index());
        totals
    }

    /// Adds those of one thread. True where it has called an allocation function.
    fn add(&mut self, counters: &Counters, places: &mut [u16; Function::COUNT]) -> bool {
        let mut allocates = false;
        for (function, place) in Function::ALL.into_iter().zip(places) {
            let part = FunctionTotals::of(counters, function);
            if part.is_zero() {
                continue;
            }
            allocates |= function.row().family == Family::Alloc && part.calls != 0;
            match place.checked_sub(1).map(usize::from) {
                Some(index) => self.functions[index].1.add(part),
                None => {
                    self.functions.push((function, part));
                    *place = self.functions.len() as u16;
                }
            }
        }
        // These go both ways and wrap by design: a thread may free what another allocated.
        let live = counters.live_bytes.get_signed();
        self.live_bytes = self.live_bytes.wrapping_add(live);
        let adjustment = counters.blocks_adjustment.get_signed();
        self.blocks_adjustment = self.blocks_adjustment.wrapping_add(adjustment);
        allocates
    }

    /// The functions that have anything in their counters.
    pub fn functions(&self) -> impl Iterator<Item = (Function, &FunctionTotals)> {
        self.functions
            .iter()
            .map(|(function, total)| (*function, total))
    }
}
