//! A region's counters, summed over its threads.

use weir_record::functions::{Family, Function};
use weir_record::region::Region;
use weir_record::sizes::{SeldomSizes, SizeClasses};
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
    /// Those of one thread. `seldom` is the table of its process.
    pub fn of(
        counters: &Counters,
        seldom: Option<&SeldomSizes>,
        function: Function,
    ) -> FunctionTotals {
        let parts = counters.parts(function);
        let own = counters.of(function);
        let mut totals = FunctionTotals {
            wait_ticks: parts.map_or(0, |parts| parts.wait_ticks.get()),
            calls: own.calls.get(),
            errors: own.errors.get(),
            requested_bytes: own.requested_bytes.get(),
            moved_bytes: own.moved_bytes.get(),
            timed: own.timed.get(),
            ticks: own.ticks.get(),
            reentrant: own.reentrant.get(),
        };
        // Most functions are called by no thread, and their classes are on pages that need not be read.
        if totals.calls != 0 && has_wrapped(totals.requested_bytes, counters, seldom, function) {
            totals.requested_bytes = u64::MAX;
        }
        totals
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

/// Whether a thread's requests added up to more than the counter of their bytes can hold. A sum that is less than the smallest
/// possible one is seen to have wrapped. Of a function with its classes in the table of the process, it is not known which thread's
/// sum has: every one's may have.
fn has_wrapped(
    sum: u64,
    counters: &Counters,
    seldom: Option<&SeldomSizes>,
    function: Function,
) -> bool {
    if let Some(classes) = counters.size_classes(function) {
        return u128::from(sum) < smallest_sum(classes);
    }
    let classes = seldom.and_then(|sizes| sizes.of(function));
    classes.is_some_and(|classes| smallest_sum(classes) > u128::from(u64::MAX))
}

/// The least that requests can add up to, given how many there were of each class of size.
fn smallest_sum(classes: &SizeClasses) -> u128 {
    // Fewer bytes than these never wrap in the time that a computer lasts.
    const LARGE_CLASS: usize = 48;
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
    /// How many threads have a slot now.
    pub threads: u32,
}

impl Totals {
    /// Reads the counters as they now are.
    pub fn of(region: Region<'_>) -> Totals {
        let mut totals = Totals {
            functions: Vec::new(),
            live_bytes: region.header.inherited_bytes.get_signed(),
            blocks_adjustment: 0,
            allocating_slots: 0,
            threads: 0,
        };
        // Where each function stands in the list, plus one.
        let mut places = [0_u16; Function::COUNT];
        let seldom = region.header.seldom_sizes();
        for slot in region.slots() {
            let allocates = totals.add(&slot.counters, seldom, &mut places);
            totals.allocating_slots += u64::from(allocates);
            totals.threads += u32::from(slot.owner.is_taken());
        }
        if let Some(common) = region.header.common() {
            totals.add(common, seldom, &mut places);
        }
        totals
            .functions
            .sort_unstable_by_key(|(function, _)| function.index());
        totals
    }

    /// Adds those of one thread. True where it has called an allocation function.
    fn add(
        &mut self,
        counters: &Counters,
        seldom: Option<&SeldomSizes>,
        places: &mut [u16; Function::COUNT],
    ) -> bool {
        let mut allocates = false;
        for (function, place) in Function::ALL.into_iter().zip(places) {
            let part = FunctionTotals::of(counters, seldom, function);
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
