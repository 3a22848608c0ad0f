//! The latencies over time of several images of one recording in one.

use std::collections::BTreeMap;

use super::{FIRST_INTERVAL_NS, MAX_COLUMNS, settle};
use crate::model::{LatencyCell, LatencyOverTime, Process};

/// All samples of these images, from `started_unix_ns` on for so long; none where no image has any. A sample is in the column of the
/// middle of its own column.
pub fn together(
    images: &[Process],
    started_unix_ns: u64,
    duration_ns: u64,
) -> Option<LatencyOverTime> {
    let mut interval_ns = FIRST_INTERVAL_NS;
    while duration_ns / interval_ns >= MAX_COLUMNS {
        interval_ns = interval_ns.saturating_mul(2);
    }
    let mut activities: BTreeMap<String, Vec<LatencyCell>> = BTreeMap::new();
    for image in images {
        let offset_ns = image.started_unix_ns.saturating_sub(started_unix_ns);
        let Some(of_image) = &image.latency_over_time else {
            continue;
        };
        for (name, cells) in &of_image.activities {
            let moved = cells.iter().map(|&LatencyCell(column, row, samples)| {
                let half = of_image.interval_ns / 2;
                let middle = u64::from(column).saturating_mul(of_image.interval_ns);
                // The last column may reach beyond the end.
                let middle = middle.saturating_add(half).min(image.duration_ns);
                let place = offset_ns.saturating_add(middle) / interval_ns;
                LatencyCell(place.min(MAX_COLUMNS - 1) as u32, row, samples)
            });
            activities.entry(name.clone()).or_default().extend(moved);
        }
    }
    activities.values_mut().for_each(settle);
    (!activities.is_empty()).then_some(LatencyOverTime {
        interval_ns,
        activities,
    })
}
