//! The one consumer of a region's rings.

use weir_record::clock::{Moment, Rate};
use weir_record::region::Region;
use weir_record::sample::Part;
use weir_record::slot::Slot;

use crate::latency::Latencies;
use crate::latency_over_time::Grid;
use crate::model::{End, Process, TimelinePoint, Tool, Usage};
use crate::process::{self, Findings};
use crate::timeline::{self, Series};
use crate::totals::Totals;

/// How long an image must have run before the rate of its clock is known: in a shorter time, the time to read the
/// clocks would be a thousandth or more.
pub const MIN_BASELINE_NS: u64 = 1_000_000;

/// Turns what a process image records into its part of a report; the one consumer of its rings.
#[derive(Debug)]
pub struct Writer<'r> {
    region: Region<'r>,
    started: Moment,
    /// What is added to the monotonic times of the region.
    shift_ns: i64,
    latencies: Latencies,
    over_time: Grid,
    series: Series,
    polls: u64,
    own_bytes: u64,
    own_cpu_ns: u64,
}

/// What a look at the rings found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// How many samples there were.
    pub samples: u64,
    /// The most that one ring held, of [`weir_record::ring::CAPACITY`].
    pub fullest_ring: usize,
}

impl<'r> Writer<'r> {
    /// A writer for an image that has started: its header is complete.
    pub fn new(region: Region<'r>) -> Writer<'r> {
        Writer {
            region,
            started: region.header.started.get(),
            shift_ns: 0,
            latencies: Latencies::new(),
            over_time: Grid::new(),
            series: Series::new(region.header.inherited_bytes.get_signed()),
            polls: 0,
            own_bytes: 0,
            own_cpu_ns: 0,
        }
    }

    /// Adds so much to the monotonic times of the region: those of a process in a time namespace (time_namespaces(7)) are by another
    /// clock than the moments with which this writer is called.
    pub fn shift(&mut self, by_ns: i64) {
        self.shift_ns = by_ns;
        self.started = self.region.header.started.get().shifted(by_ns);
    }

    /// Drains the rings, and adds a point to the timeline where one is due. Does nothing before
    /// [`MIN_BASELINE_NS`] after the image's start.
    pub fn poll(&mut self, now: Moment) -> Poll {
        self.poll_beside(now, |_| None)
    }

    /// As [`Writer::poll`], beside who can say what the process takes: asked where a point is due, with the point.
    pub fn poll_beside(
        &mut self,
        now: Moment,
        usage: impl FnOnce(&TimelinePoint) -> Option<Usage>,
    ) -> Poll {
        let at_ns = self.since_start(now);
        let rate = Rate::between(self.started, now).filter(|_| at_ns >= MIN_BASELINE_NS);
        let Some(rate) = rate else {
            return Poll::default();
        };
        if self.series.is_due(at_ns) {
            let totals = Totals::of(self.region);
            let mut point = timeline::point(at_ns, &totals);
            point.usage = usage(&point);
            self.series.add(point);
        }
        self.drain(rate, at_ns)
    }

    /// Drains what is left, and reports the image as it is at this moment. May be called again, later.
    pub fn process(&mut self, now: Moment, end: End) -> Process {
        self.process_beside(now, end, |_| None)
    }

    /// As [`Writer::process`], beside who can say what the process takes: asked with the last point.
    pub fn process_beside(
        &mut self,
        now: Moment,
        end: End,
        usage: impl FnOnce(&TimelinePoint) -> Option<Usage>,
    ) -> Process {
        // The counters before the samples: a sample that arrives in between is one too many, not one
        // that was dropped.
        let totals = Totals::of(self.region);
        let rate =
            Rate::between(self.started, now).or_else(|| Rate::between(self.started, self.latest()));
        let at_ns = self.since_start(now);
        if let Some(rate) = rate {
            self.drain(rate, at_ns);
        }
        let mut last = timeline::point(at_ns, &totals);
        last.usage = usage(&last);
        process::process(Findings {
            region: self.region,
            started: self.started,
            duration_ns: at_ns,
            end,
            rate,
            timeline: self.series.until(last),
            latency_over_time: self.over_time.found(),
            totals: &totals,
            latencies: &self.latencies,
            tool: Tool {
                region_bytes: region_bytes(self.region),
                writer_bytes: self.own_bytes,
                samples: self.latencies.samples(),
                writer_polls: self.polls,
                writer_cpu_ns: self.own_cpu_ns,
            },
        })
    }

    /// Sets what the writer costs where it lives in the program: bytes of memory, nanoseconds of
    /// processor time.
    pub fn set_own_cost(&mut self, bytes: u64, cpu_ns: u64) {
        self.own_bytes = bytes;
        self.own_cpu_ns = cpu_ns;
    }

    fn latest(&self) -> Moment {
        self.region.header.latest.get().shifted(self.shift_ns)
    }

    fn since_start(&self, now: Moment) -> u64 {
        now.monotonic_ns.saturating_sub(self.started.monotonic_ns)
    }

    fn drain(&mut self, rate: Rate, at_ns: u64) -> Poll {
        self.polls = self.polls.saturating_add(1);
        self.over_time.advance(at_ns);
        let (latencies, over_time) = (&mut self.latencies, &mut self.over_time);
        let mut poll = Poll::default();
        for slot in self.region.slots() {
            let taken = slot.ring.drain(|sample| {
                // Anything may be in the ring of a hostile program.
                let Some((function, part)) = sample.subject() else {
                    return;
                };
                let ns = rate.ns(sample.ticks());
                latencies.record(function, part, ns);
                if part == Part::Whole {
                    over_time.record(function, ns);
                }
            });
            poll.samples = poll.samples.saturating_add(taken as u64);
            poll.fullest_ring = poll.fullest_ring.max(taken);
        }
        poll
    }
}

/// Memory of a region: what has been used of it.
fn region_bytes(region: Region<'_>) -> u64 {
    let slots = region
        .slots()
        .iter()
        .map(|slot| match slot.ring.is_whole() {
            true => size_of::<Slot>(),
            false => Slot::FIRST_BYTES,
        });
    let all = [size_of_val(region.header), size_of_val(region.files())];
    all.into_iter().chain(slots).sum::<usize>() as u64
}
