//! What processes took of the machine, by the readings in their timelines.

use std::collections::HashMap;

use serde::Serialize;
use weir_report::model::{EndKind, Process, Timeline};

use super::loss::{Loss, Suffered};
use crate::text;
use crate::units::Unit;

/// How long a process may go on after its last reading and still count as read up to its end: so long, or a part of its life, where
/// that is longer. One that does nothing is read five times a second.
const UNREAD_NS: u64 = 250_000_000;
const UNREAD_PART: u64 = 10;
/// In any case it was read in the second half of its life.
const MOST_UNREAD_PART: u64 = 2;

/// The kernel counts pages in batches, for each processor: so much may be missing in a resident size, or too much.
const BATCHES_BYTES: u64 = 512 << 10;
/// The kernel gives the time in the program and that in the kernel in ticks of 10 ms, each rounded down.
const TICKS_NS: u64 = 2 * 10_000_000;

/// What was read. All numbers are the least that it can be: a process takes more between its readings and after the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The largest resident size of one process that was seen.
    pub resident_bytes: u64,
    /// Page faults that took no I/O.
    pub minor_faults: u64,
    /// Page faults that waited for a page to be read from disk.
    pub major_faults: u64,
    /// CPU time, in the program and in the kernel for it.
    pub cpu_ns: u64,
}

impl Taken {
    /// The largest size in a timeline, and the last of the counts, which are those since the process started. None where nobody read it.
    pub fn of(timeline: &Timeline) -> Option<Taken> {
        let seen = || timeline.points.iter().filter_map(|point| point.usage);
        let last = seen().next_back()?;
        Some(Taken {
            resident_bytes: seen().map(|usage| usage.resident_bytes).max()?,
            minor_faults: last.minor_faults,
            major_faults: last.major_faults,
            cpu_ns: last.user_ns.saturating_add(last.system_ns),
        })
    }

    /// What several processes took: sums, and the size of the largest. None where none of them was read.
    pub fn by_all(processes: &[OfProcess<'_>]) -> Option<Taken> {
        let taken = processes.iter().filter_map(|process| process.taken);
        taken.reduce(|one, other| Taken {
            resident_bytes: one.resident_bytes.max(other.resident_bytes),
            minor_faults: one.minor_faults.saturating_add(other.minor_faults),
            major_faults: one.major_faults.saturating_add(other.major_faults),
            cpu_ns: one.cpu_ns.saturating_add(other.cpu_ns),
        })
    }

    /// What one process took, of which this is what it took in a later image: there, the counts go on.
    fn after(self, earlier: Taken) -> Taken {
        Taken {
            resident_bytes: self.resident_bytes.max(earlier.resident_bytes),
            minor_faults: self.minor_faults.max(earlier.minor_faults),
            major_faults: self.major_faults.max(earlier.major_faults),
            cpu_ns: self.cpu_ns.max(earlier.cpu_ns),
        }
    }
}

/// One process, with all images that it was by exec; or several that a report has one entry for.
#[derive(Clone, Copy, Debug)]
pub struct OfProcess<'r> {
    /// The last of the images.
    pub image: &'r Process,
    /// What it took, where it was read.
    pub taken: Option<Taken>,
    started_unix_ns: u64,
    /// When it was read last.
    read_unix_ns: u64,
}

impl<'r> OfProcess<'r> {
    fn of(image: &'r Process) -> OfProcess<'r> {
        let mut points = image.timeline.points.iter();
        let last = points.rfind(|point| point.usage.is_some());
        let read_ns = last.map_or(0, |point| point.at_ns);
        OfProcess {
            image,
            taken: Taken::of(&image.timeline),
            started_unix_ns: image.started_unix_ns,
            read_unix_ns: image.started_unix_ns.saturating_add(read_ns),
        }
    }

    /// The process, of which this is a later image.
    fn after(self, earlier: OfProcess<'r>) -> OfProcess<'r> {
        let read_unix_ns = match self.taken {
            Some(_) => self.read_unix_ns,
            None => earlier.read_unix_ns,
        };
        let taken = match (earlier.taken, self.taken) {
            (Some(earlier), Some(taken)) => Some(taken.after(earlier)),
            (earlier, taken) => taken.or(earlier),
        };
        OfProcess {
            image: self.image,
            taken,
            started_unix_ns: earlier.started_unix_ns,
            read_unix_ns,
        }
    }

    /// Whether what it took is all that it took but for a short time.
    pub fn is_read_to_its_end(&self) -> bool {
        let image = self.image;
        let ended_unix_ns = image.started_unix_ns.saturating_add(image.duration_ns);
        let lived_ns = ended_unix_ns.saturating_sub(self.started_unix_ns);
        let unread_ns = ended_unix_ns.saturating_sub(self.read_unix_ns);
        let most_ns = UNREAD_NS.max(lived_ns / UNREAD_PART);
        self.taken.is_some() && unread_ns <= most_ns.min(lived_ns / MOST_UNREAD_PART)
    }
}

/// The processes of these images, which are in the order of their start.
pub fn of_each(images: &[Process]) -> Vec<OfProcess<'_>> {
    let mut processes: Vec<OfProcess<'_>> = Vec::with_capacity(images.len());
    // Where those are that go on as another image.
    let mut becoming: HashMap<u32, usize> = HashMap::new();
    for image in images {
        let process = OfProcess::of(image);
        let is_one = image.folded.is_none();
        let before = becoming.get(&image.pid).copied().filter(|_| is_one);
        let place = match before {
            Some(place) => {
                processes[place] = process.after(processes[place]);
                place
            }
            None => {
                processes.push(process);
                processes.len() - 1
            }
        };
        match image.end.how {
            _ if !is_one => None,
            EndKind::Exec => becoming.insert(image.pid, place),
            _ => becoming.remove(&image.pid),
        };
    }
    processes
}

/// How many processes were not read up to their end.
pub fn unread(processes: &[OfProcess<'_>]) -> u64 {
    let unread = processes.iter().filter(|of| !of.is_read_to_its_end());
    let counts = unread.map(|of| of.image.stands_for());
    counts.fold(0, u64::saturating_add)
}

/// That processes were not read up to their end, so that they may have taken more; none where there are none.
pub fn not_read(unread: u64) -> Option<Suffered> {
    let processes = text::counted(unread, "process", "processes");
    let sentence = format!("what {processes} took of the machine was not read up to the end");
    (unread > 0).then_some((Loss::Unread, sentence))
}

/// By how much a number of a unit may have been less than what was read, and by how much more, where so many processes were read.
pub fn errors(unit: Unit, processes: usize) -> (u64, u64) {
    match unit {
        Unit::Bytes => (BATCHES_BYTES, BATCHES_BYTES),
        Unit::Time => (0, TICKS_NS.saturating_mul(processes as u64)),
        Unit::Count => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{Folded, TimelinePoint, Usage};

    use super::*;
    use crate::sample;

    const MS: u64 = 1_000_000;

    /// An image that lived so many milliseconds and was read at some of them: its size, and the milliseconds of CPU time that its
    /// process had by then.
    fn image(pid: u32, lived: (u64, u64), how: EndKind, read: &[(u64, u64, u64)]) -> Process {
        let point = |&(at, size, cpu): &(u64, u64, u64)| TimelinePoint {
            at_ns: at * MS,
            usage: Some(Usage {
                resident_bytes: size,
                minor_faults: cpu * 2,
                major_faults: cpu / 2,
                user_ns: cpu * MS - 1,
                system_ns: 1,
            }),
            ..TimelinePoint::default()
        };
        let mut image = Process {
            pid,
            started_unix_ns: lived.0 * MS,
            duration_ns: (lived.1 - lived.0) * MS,
            ..sample::report().processes.remove(0)
        };
        image.end.how = how;
        image.timeline.points = read.iter().map(point).collect();
        image.timeline.points.push(TimelinePoint::default());
        image
    }

    fn taken(resident_bytes: u64, cpu: u64) -> Option<Taken> {
        Some(Taken {
            resident_bytes,
            minor_faults: cpu * 2,
            major_faults: cpu / 2,
            cpu_ns: cpu * MS,
        })
    }

    #[test]
    fn images_of_one_process_count_once() {
        let images = [
            image(7, (0, 100), EndKind::Exec, &[(50, 900, 20), (90, 100, 40)]),
            // Its child, which begins with nothing.
            image(8, (50, 150), EndKind::Exited, &[(95, 10, 4)]),
            image(7, (100, 400), EndKind::Exec, &[(290, 300, 100)]),
            // Too short for a reading.
            image(7, (400, 402), EndKind::Exited, &[]),
            // Another process that has the number.
            image(7, (500, 600), EndKind::Exited, &[(99, 5, 2)]),
        ];
        let processes = of_each(&images);
        let each: Vec<_> = processes
            .iter()
            .map(|of| (of.image.pid, of.taken))
            .collect();
        assert_eq!(
            each,
            [(7, taken(900, 100)), (8, taken(10, 4)), (7, taken(5, 2))]
        );
        assert!(std::ptr::eq(processes[0].image, &images[3]));
        assert_eq!(Taken::by_all(&processes), taken(900, 106));
        assert_eq!(unread(&processes), 0);
    }

    #[test]
    fn a_process_is_read_to_its_end_where_little_is_unread() {
        let is_read = |lived, read: &[(u64, u64, u64)]| {
            let images = [image(1, (0, lived), EndKind::Exited, read)];
            of_each(&images)[0].is_read_to_its_end()
        };
        for (lived, read, expected) in [
            (1000, 750, true),
            (1000, 749, false),
            (10_000, 9000, true),
            (10_000, 8999, false),
            (100, 50, true),
            (100, 49, false),
        ] {
            assert_eq!(is_read(lived, &[(read, 1, 2)]), expected, "{lived} {read}");
        }
        assert!(!is_read(1, &[]));
    }

    #[test]
    fn who_was_never_read_took_what_nobody_knows() {
        let mut together = image(1, (0, 9), EndKind::Exec, &[]);
        together.folded = Some(Box::new(Folded {
            processes: 5,
            ..Folded::default()
        }));
        let images = [together, image(1, (0, 1000), EndKind::Exited, &[])];
        let processes = of_each(&images);
        assert_eq!(processes.len(), 2);
        assert_eq!(Taken::by_all(&processes), None);
        assert_eq!(unread(&processes), 6);
    }
}
