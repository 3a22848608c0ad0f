//! The timelines of several images of one recording in one.

use super::FIRST_INTERVAL_NS;
use crate::model::{Process, Timeline, TimelinePoint};

/// The most points, and one at the end.
const MOST: u64 = 200;

/// The counters of all these images together, from `started_unix_ns` on for so long; empty where none has a timeline. Between two
/// points of an image a counter grows evenly. Live bytes and threads are those of the images that run at that moment. There is no usage: what one image
/// of a process took of the machine, the next one has too.
pub fn together(images: &[Process], started_unix_ns: u64, duration_ns: u64) -> Timeline {
    let tracked: Vec<&Process> = images
        .iter()
        .filter(|image| !image.timeline.points.is_empty())
        .collect();
    if tracked.is_empty() {
        return Timeline::default();
    }
    let interval_ns = duration_ns.div_ceil(MOST).max(FIRST_INTERVAL_NS);
    let moments = (0..MOST).map(|number| number.saturating_mul(interval_ns));
    let moments = moments.take_while(|&at_ns| at_ns < duration_ns);
    let points = moments.chain([duration_ns]).map(|at_ns| {
        let mut point = TimelinePoint {
            at_ns,
            ..TimelinePoint::default()
        };
        for image in &tracked {
            let offset_ns = image.started_unix_ns.saturating_sub(started_unix_ns);
            if let Some(since_ns) = at_ns.checked_sub(offset_ns) {
                add(&mut point, image, since_ns);
            }
        }
        point
    });
    Timeline {
        interval_ns,
        points: points.collect(),
    }
}

/// Adds what an image had so long after its start.
fn add(to: &mut TimelinePoint, image: &Process, since_ns: u64) {
    let points = &image.timeline.points;
    let place = points.partition_point(|point| point.at_ns <= since_ns);
    let none = TimelinePoint::default();
    let before = place.checked_sub(1).and_then(|place| points.get(place));
    let before = before.unwrap_or(&none);
    let after = points.get(place).unwrap_or(before);
    let runs = since_ns <= image.duration_ns;
    if runs {
        to.live_bytes = to.live_bytes.saturating_add(before.live_bytes);
    }
    if let Some(threads) = before.threads {
        let sum = to.threads.get_or_insert(0);
        *sum = sum.saturating_add(if runs { threads } else { 0 });
    }
    let passed = u128::from(since_ns.saturating_sub(before.at_ns));
    let between = u128::from(after.at_ns.saturating_sub(before.at_ns)).max(1);
    for (to, before, after) in [
        (&mut to.alloc_calls, before.alloc_calls, after.alloc_calls),
        (&mut to.alloc_bytes, before.alloc_bytes, after.alloc_bytes),
        (&mut to.io_calls, before.io_calls, after.io_calls),
        (&mut to.read_bytes, before.read_bytes, after.read_bytes),
        (
            &mut to.written_bytes,
            before.written_bytes,
            after.written_bytes,
        ),
        (
            &mut to.copied_bytes,
            before.copied_bytes,
            after.copied_bytes,
        ),
    ] {
        let more = u128::from(after.saturating_sub(before));
        // No more than `more`: the moment lies between the points, or behind the last, where that is 0.
        let part = more.saturating_mul(passed) / between;
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        *to = to.saturating_add(before).saturating_add(part);
    }
}
