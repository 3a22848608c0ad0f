//! The latest latencies of a program that runs, for whoever looks on while another drains its rings.

use weir_record::clock::{Moment, Rate};
use weir_record::functions::Function;
use weir_record::region::Region;
use weir_record::sample::Part;

use crate::latency::Latencies;
use crate::writer::MIN_BASELINE_NS;

/// How far the rings of an image have been looked at.
#[derive(Debug, Default)]
pub struct Seen {
    /// The head of each slot's ring.
    heads: Vec<u64>,
}

/// Latencies of the calls between two looks, of any number of images.
#[derive(Debug)]
pub struct Recent(Latencies);

/// Figures of a function, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Of how many timed calls.
    pub samples: u64,
    /// 50th percentile; as in [`crate::model::Latency`].
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// The longest, less than 1 % too low.
    pub max_ns: u64,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent(Latencies::new())
    }
}

impl Recent {
    /// The figures of a function; none where no call of it was a sample.
    pub fn of(&self, function: Function) -> Option<Figures> {
        let histogram = self.0.of(function, Part::Whole)?;
        // As in a report: a class of the histogram is less than 1 % wide.
        let max_ns = histogram.lowest_equivalent(histogram.max());
        let quantile = |quantile| histogram.value_at_quantile(quantile).min(max_ns);
        Some(Figures {
            samples: histogram.len(),
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            max_ns,
        })
    }
}

impl Seen {
    /// Adds the samples of an image that came since the last look, as far as its rings still have them: 16,384 of a thread. `region` is a
    /// copy, or shared with the program. Nothing is taken from it.
    pub fn look(&mut self, region: Region<'_>, now: Moment, recent: &mut Recent) {
        let started = region.header.started.get();
        let ran_ns = now.monotonic_ns.saturating_sub(started.monotonic_ns);
        let rate = Rate::between(started, now).filter(|_| ran_ns >= MIN_BASELINE_NS);
        let Some(rate) = rate else {
            return;
        };
        let slots = region.slots();
        self.heads.resize(slots.len().max(self.heads.len()), 0);
        for (slot, head) in slots.iter().zip(&mut self.heads) {
            *head = slot.ring.look_back(*head, |sample| {
                // A hostile program may have put anything there.
                if let Some((function, part)) = sample.subject() {
                    recent.0.record(function, part, rate.ns(sample.ticks()));
                }
            });
        }
    }
}
