//! Counters over time, in bounded memory.

mod together;

use weir_record::functions::{Family, Role};

use crate::model::{Timeline, TimelinePoint};
use crate::totals::Totals;

pub use together::together;

/// How far apart points are at first.
const FIRST_INTERVAL_NS: u64 = 5_000_000;

/// The most points that are kept.
const MAX_POINTS: usize = 600;

/// The points so far.
#[derive(Debug)]
pub struct Series {
    interval_ns: u64,
    points: Vec<TimelinePoint>,
}

impl Series {
    /// A series that begins at an image's start, with the heap that it inherited.
    pub fn new(inherited_bytes: i64) -> Series {
        Series {
            interval_ns: FIRST_INTERVAL_NS,
            points: vec![TimelinePoint {
                live_bytes: inherited_bytes,
                ..TimelinePoint::default()
            }],
        }
    }

    /// Whether a point is due, so long after the image's start.
    pub fn is_due(&self, at_ns: u64) -> bool {
        self.points
            .last()
            .is_none_or(|last| at_ns.saturating_sub(last.at_ns) >= self.interval_ns)
    }

    /// Adds a point. Where they have become too many, the interval doubles, and those that are too close
    /// go: every second one, if they were as close as they could be. Where not every point has a usage, those that have it stay:
    /// they may be as seldom as those that stay.
    pub fn add(&mut self, point: TimelinePoint) {
        self.points.push(point);
        while self.points.len() > MAX_POINTS {
            self.interval_ns = self.interval_ns.saturating_mul(2);
            let mut kept = 0;
            for next in 1..self.points.len() {
                let (last, point) = (&self.points[kept], &self.points[next]);
                let is_due = point.at_ns.saturating_sub(last.at_ns) >= self.interval_ns;
                // The first point is the image's start.
                let has_more = kept > 0 && last.usage.is_none() && point.usage.is_some();
                kept += usize::from(is_due);
                if is_due || has_more {
                    self.points.swap(kept, next);
                }
            }
            self.points.truncate(kept + 1);
        }
    }

    /// The timeline up to this point, which is not kept.
    pub fn until(&self, last: TimelinePoint) -> Timeline {
        let mut points = self.points.clone();
        points.retain(|point| point.at_ns < last.at_ns);
        points.push(last);
        Timeline {
            interval_ns: self.interval_ns,
            points,
        }
    }
}

/// The point that the counters make, so long after the image's start.
pub fn point(at_ns: u64, totals: &Totals) -> TimelinePoint {
    let mut point = TimelinePoint {
        at_ns,
        live_bytes: totals.live_bytes,
        threads: Some(totals.threads),
        ..TimelinePoint::default()
    };
    let add = |to: &mut u64, by: u64| *to = to.saturating_add(by);
    for (function, total) in totals.functions() {
        let row = function.row();
        if row.family == Family::Alloc {
            add(&mut point.alloc_calls, total.calls);
        } else if row.family.is_io() {
            add(&mut point.io_calls, total.calls);
        }
        match row.role {
            Role::Allocate | Role::Resize => add(&mut point.alloc_bytes, total.requested_bytes),
            Role::Read if row.family.is_io() => add(&mut point.read_bytes, total.moved_bytes),
            Role::Write if row.family.is_io() => add(&mut point.written_bytes, total.moved_bytes),
            Role::Move if row.family.is_io() => add(&mut point.copied_bytes, total.moved_bytes),
            _ => {}
        }
    }
    point
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Usage;

    fn at(at_ns: u64) -> TimelinePoint {
        TimelinePoint {
            at_ns,
            alloc_calls: at_ns / 7,
            ..TimelinePoint::default()
        }
    }

    /// A day: one look every 10 ms in the first hour, and every minute after it.
    #[test]
    fn a_long_recording_keeps_few_points_evenly() {
        const HOUR: u64 = 3_600_000_000_000;
        let mut series = Series::new(77);
        let moments = (0..HOUR)
            .step_by(10_000_000)
            .chain((HOUR..24 * HOUR).step_by(60_000_000_000));
        for moment in moments {
            if series.is_due(moment) {
                series.add(at(moment));
            }
            assert!(series.points.len() <= MAX_POINTS);
        }
        let timeline = series.until(at(24 * HOUR));
        assert_eq!(
            timeline
                .points
                .first()
                .map(|first| (first.at_ns, first.live_bytes)),
            Some((0, 77))
        );
        assert_eq!(timeline.points.last(), Some(&at(24 * HOUR)));
        assert!(timeline.points.len() > MAX_POINTS / 4);
        // Except for the last point, no two points are closer than the interval, nor more than twice as far apart.
        let kept = &timeline.points[..timeline.points.len() - 1];
        for pair in kept.windows(2) {
            let apart = pair[1].at_ns - pair[0].at_ns;
            assert!(apart >= timeline.interval_ns, "{apart}");
            assert!(apart <= 2 * timeline.interval_ns, "{apart}");
        }
    }

    /// Points every 25 ms, of which every eighth, in whatever place, has a usage.
    #[test]
    fn points_with_a_usage_stay_as_long_as_there_is_room() {
        const MS: u64 = 1_000_000;
        for first in 0..8 {
            let mut series = Series::new(0);
            let mut before = 0;
            for number in 1..20_000_u64 {
                let mut point = at(number * 25 * MS);
                if number % 8 == first {
                    let minor_faults = number;
                    point.usage = Some(Usage {
                        minor_faults,
                        ..Usage::default()
                    });
                }
                series.add(point);
                let interval_ns = std::mem::replace(&mut before, series.interval_ns);
                if interval_ns == series.interval_ns || interval_ns == 0 {
                    continue;
                }
                let kept = series.points.iter().filter(|of| of.usage.is_some());
                let most = (number / 8).min(number * 25 * MS / series.interval_ns);
                assert!(
                    kept.count() as u64 + 2 >= most / 2,
                    "{first}: {most} in {} ms",
                    series.interval_ns / MS
                );
                let moments = series.points.windows(2);
                let mut apart = moments.map(|pair| pair[1].at_ns - pair[0].at_ns);
                assert!(apart.all(|apart| apart >= series.interval_ns));
            }
            for point in &series.points {
                let number = point.at_ns / (25 * MS);
                let usage = point.usage.map(|usage| usage.minor_faults);
                let has_one = number % 8 == first && number > 0;
                assert_eq!(usage, has_one.then_some(number));
            }
        }
    }

    #[test]
    fn the_last_point_is_not_kept_and_comes_once() {
        let mut series = Series::new(0);
        series.add(at(FIRST_INTERVAL_NS));
        for last in [FIRST_INTERVAL_NS + 5, FIRST_INTERVAL_NS] {
            let moments: Vec<u64> = series
                .until(at(last))
                .points
                .iter()
                .map(|point| point.at_ns)
                .collect();
            let mut expected = vec![0, FIRST_INTERVAL_NS, last];
            expected.dedup();
            assert_eq!(moments, expected);
        }
        assert_eq!(series.until(at(0)).points, [at(0)]);
    }
}
