//! What the processes of a run had of memory, over time.

use serde::Serialize;
use weir_report::model::{Process, Report, TimelinePoint};

/// That of one run. Times are in nanoseconds from its start: JavaScript's numbers cannot hold the times of the report.
#[derive(Debug, Serialize)]
pub struct Timeline<'a> {
    /// The end of what has a time: processes that outlived the first one, too.
    pub end_ns: u64,
    /// The process images that have a timeline.
    pub images: Vec<Image<'a>>,
}

/// An image, in the form that the scripts of all pages read.
#[derive(Debug, Serialize)]
pub struct Image<'a> {
    /// From the start of the run to that of the image.
    offset: u64,
    process: Levels<'a>,
}

#[derive(Debug, Serialize)]
struct Levels<'a> {
    duration_ns: u64,
    is_heap_known: bool,
    timeline: Points<'a>,
}

#[derive(Debug, Serialize)]
struct Points<'a> {
    points: &'a [TimelinePoint],
}

impl Timeline<'_> {
    /// That of a report; a sum of several runs has none.
    pub fn of(report: &Report) -> Timeline<'_> {
        let offset = |of: &Process| of.started_unix_ns.saturating_sub(report.started_unix_ns);
        let ends = report
            .processes
            .iter()
            .map(|of| offset(of).saturating_add(of.duration_ns));
        let images = report
            .processes
            .iter()
            .filter(|of| !of.timeline.points.is_empty());
        let images = images.map(|of| Image {
            offset: offset(of),
            process: Levels {
                duration_ns: of.duration_ns,
                is_heap_known: of.heap.not_known.is_none(),
                timeline: Points {
                    points: &of.timeline.points,
                },
            },
        });
        Timeline {
            end_ns: ends.fold(report.duration_ns, u64::max),
            images: images.collect(),
        }
    }
}
