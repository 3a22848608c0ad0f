//! What weir reads of the process of an image from outside while it runs: what it takes of the machine, and its title.

use weir_record::clock::Moment;
use weir_record::region::{Header, Phase};
use weir_report::model::{TimelinePoint, Usage};

use super::seen::Seen;
use super::title;
use super::usage::{self, FileId, Reading};

/// Reads one process.
#[derive(Debug)]
pub struct Outside {
    /// None where it cannot be read, or not any more.
    usage: Option<usage::Watch>,
    title: title::Watch,
}

impl Outside {
    /// For the image that started then, with this file for its region, in the process that was seen. None where it had ended by then.
    pub fn new(seen: Seen, started: Moment, region: FileId) -> Option<Outside> {
        Some(Outside {
            usage: Some(usage::Watch::new(seen.pid, seen.since?, started, region)),
            title: title::Watch::new(seen.pid, started, region),
        })
    }

    /// What the process takes now, where its region has this header and its timeline gets this point, and so many processes run. Nothing
    /// while it ends, or becomes another image: then the memory and the title may be the other's.
    pub fn read(
        &mut self,
        header: &Header,
        now: Moment,
        point: &TimelinePoint,
        running: usize,
    ) -> Option<Usage> {
        if header.phase() != Phase::Running {
            return None;
        }
        let calls = point.alloc_calls.wrapping_add(point.io_calls);
        match self.usage.as_mut()?.read(now, calls, running) {
            Reading::Of(usage) => {
                // So it is the process.
                self.title.read(header, now, running);
                Some(usage)
            }
            Reading::None => None,
            Reading::NeverAgain => {
                self.usage = None;
                None
            }
        }
    }

    /// The title that it was seen to have last.
    pub fn title(&self) -> Option<String> {
        self.title.last().map(str::to_owned)
    }
}
