//! What weir reads of the process of an image from outside while it runs: what it takes of the machine, and its title, and whether its threads
//! sleep in slow calls.

use weir_record::clock::Moment;
use weir_record::region::{Header, Phase, Region};
use weir_report::model::{Process, TimelinePoint, Usage};

use super::allowance::Allowance;
use super::looks;
use super::seen::Seen;
use super::title;
use super::usage::{self, FileId, Reading};

/// Reads one process.
#[derive(Debug)]
pub struct Outside {
    /// None where it cannot be read, or not any more.
    usage: Option<usage::Watch>,
    title: title::Watch,
    looks: looks::Watch,
    started: Moment,
}

impl Outside {
    /// For the image that started then, with this file for its region, in the process that was seen and has this id in its own pid
    /// namespace. None where it had ended by then.
    pub fn new(seen: Seen, pid: u32, started: Moment, region: FileId) -> Option<Outside> {
        let since = seen.since?;
        Some(Outside {
            usage: Some(usage::Watch::new(seen.pid, since, started, region)),
            title: title::Watch::new(seen.pid, started, region),
            looks: looks::Watch::new(seen, since, pid),
            started,
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

    /// Looks at the threads of the process that are in slow calls, as far as that is allowed. The region is that of the image. Not before
    /// the process has been [read](Outside::read), nor while it ends or becomes another image.
    pub fn look(&mut self, region: Region<'_>, now: Moment, allowance: &mut Allowance) {
        let is_it = self.usage.as_ref().is_some_and(usage::Watch::is_confirmed);
        if is_it && region.header.phase() == Phase::Running {
            self.looks
                .look(region.slots(), self.started, now, allowance);
        }
    }

    /// Adds to the report of the image, as it was at this moment, what only weir has seen: its last title, and the looks at slow calls.
    pub fn report_in(&self, process: &mut Process, now: Moment) {
        process.title = self.title.last().map(str::to_owned);
        self.looks.report_in(process, self.started, now);
    }
}
