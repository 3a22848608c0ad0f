//! The live bytes of the heap over time, as a line of blocks, and what the process took of the machine.

use weir_report::model::{Process, Timeline};

use super::page::Page;
use super::sparkline;
use super::subject::Subject;
use super::taken::Taken;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let (processes, more) = sparkline::shown(subject, |of| Some(of.heap.peak_bytes));
    if processes.is_empty() {
        return;
    }
    page.heading(
        "Live heap over time",
        "one line for each process image, from its start to its end",
    );

    let captions = captions(subject, &processes, page.room());
    let widest = |of: fn(&Caption) -> &str| {
        captions
            .iter()
            .map(|caption| text::width(of(caption)))
            .max()
            .unwrap_or(0)
    };
    let (left, right) = (
        widest(|caption| &caption.before),
        widest(|caption| &caption.after),
    );
    let columns = sparkline::columns(page.room(), left, right);
    for (process, Caption { before, after }) in processes.iter().zip(&captions) {
        let live = live(&process.timeline, process.duration_ns, columns);
        let line = sparkline::blocks(&live);
        let space = " ".repeat(left - text::width(before));
        page.line(&format!("{before}{space}{line}{after}"));
        let parts = [usage(&process.timeline), threads(&process.timeline)];
        let usage = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        for line in text::wrap(&usage, page.room().saturating_sub(left).max(1)) {
            let line = page.dim(&line);
            page.styled_line(&format!("{}{line}", " ".repeat(left)));
        }
    }
    if more > 0 {
        let more = text::counted(
            more as u64,
            "process with a smaller heap",
            "processes with smaller heaps",
        );
        page.remark(&format!("and {more}"));
    }
}

/// What stands before and after a line.
struct Caption {
    before: String,
    after: String,
}

/// Whose line it is, and what its height and its length stand for; on a narrow page, in short.
fn captions(subject: &Subject<'_>, processes: &[&Process], room: usize) -> Vec<Caption> {
    let caption = |process: &&Process| {
        let most = process
            .timeline
            .points
            .iter()
            .map(|point| point.live_bytes)
            .max()
            .unwrap_or(0);
        let most = units::signed_bytes(most);
        let after = match sparkline::is_narrow(room) {
            true => format!("  {most}"),
            false => format!("  up to {most} in {}", units::time(process.duration_ns)),
        };
        Caption {
            before: sparkline::label(subject, process, room),
            after,
        }
    };
    processes.iter().map(caption).collect()
}

/// What the process took: the largest resident memory that was seen, and the last of the counts. None where nobody could read it.
fn usage(timeline: &Timeline) -> Option<String> {
    let taken = Taken::of(timeline)?;
    let faults = taken.minor_faults.saturating_add(taken.major_faults);
    let faults = text::counted(faults, "page fault", "page faults");
    let from_disk = match taken.major_faults {
        0 => String::new(),
        some => format!(" ({} from disk)", units::count(some)),
    };
    let cpu = match taken.cpu_ns {
        0 => "no tick of".to_owned(),
        some => units::time(some),
    };
    let resident = units::bytes(taken.resident_bytes);
    Some(format!(
        "up to {resident} resident, {faults}{from_disk}, {cpu} CPU time"
    ))
}

/// The most threads at one moment, where there were several.
fn threads(timeline: &Timeline) -> Option<String> {
    let most = { timeline.points.iter() }.filter_map(|point| point.threads);
    let most = most.max().filter(|&threads| threads > 1)?;
    Some(format!("up to {} threads", units::count(most.into())))
}

/// The most that was live in each of so many stretches of time. Where no point falls into a stretch, the last point before it holds.
fn live(timeline: &Timeline, duration_ns: u64, columns: usize) -> Vec<u64> {
    let end = timeline
        .points
        .iter()
        .map(|point| point.at_ns)
        .max()
        .unwrap_or(0)
        .max(duration_ns);
    let mut most: Vec<Option<u64>> = vec![None; columns];
    let mut latest: Vec<u64> = vec![0; columns];
    for point in &timeline.points {
        let place = u128::from(point.at_ns) * columns as u128 / (u128::from(end) + 1);
        let place = (place as usize).min(columns - 1);
        let live = u64::try_from(point.live_bytes).unwrap_or(0);
        most[place] = Some(most[place].map_or(live, |most| most.max(live)));
        latest[place] = live;
    }
    let mut before = 0;
    let stretches = most.into_iter().zip(latest).map(|(most, latest)| {
        let live = most.unwrap_or(before);
        if most.is_some() {
            before = latest;
        }
        live
    });
    stretches.collect()
}

#[cfg(test)]
mod tests {
    use weir_report::model::{TimelinePoint, Usage};

    use super::*;

    fn timeline(points: &[(u64, i64)]) -> Timeline {
        let point = |&(at_ns, live_bytes)| TimelinePoint {
            at_ns,
            live_bytes,
            ..TimelinePoint::default()
        };
        Timeline {
            interval_ns: 1,
            points: points.iter().map(point).collect(),
        }
    }

    fn line(timeline: &Timeline, duration_ns: u64, columns: usize) -> String {
        sparkline::blocks(&live(timeline, duration_ns, columns))
    }

    #[test]
    fn a_line_rises_and_falls_with_the_heap() {
        let points = timeline(&[(0, 0), (10, 10), (20, 40), (30, 80), (39, 20)]);
        assert_eq!(line(&points, 39, 4), " ▁▄█");
        assert_eq!(
            line(&points, 79, 8),
            " ▁▄█▂▂▂▂",
            "the last point holds to the end"
        );
        assert_eq!(line(&points, 39, 1), "█");
    }

    #[test]
    fn a_heap_that_is_not_there_has_no_height() {
        assert_eq!(line(&timeline(&[(0, -5), (9, 0)]), 9, 2), "  ");
        let extreme = timeline(&[(0, i64::MIN), (u64::MAX, i64::MAX)]);
        assert_eq!(line(&extreme, u64::MAX, 2), " █");
    }

    #[test]
    fn the_most_threads_are_shown_where_there_were_several() {
        let mut points = timeline(&[(0, 0), (10, 10), (20, 40)]);
        for (seen, shown) in [
            ([None, None, None], None),
            ([None, Some(1), Some(1)], None),
            ([None, Some(1200), Some(3)], Some("up to 1,200 threads")),
        ] {
            for (point, threads) in points.points.iter_mut().zip(seen) {
                point.threads = threads;
            }
            assert_eq!(threads(&points).as_deref(), shown);
        }
    }

    #[test]
    fn the_largest_memory_and_the_last_counts_are_shown() {
        let mut points = timeline(&[(0, 0), (10, 10), (20, 40), (30, 80)]);
        assert_eq!(usage(&points), None);
        let seen = |mib: u64, minor_faults, major_faults, ms: u64| Usage {
            resident_bytes: mib << 20,
            minor_faults,
            major_faults,
            user_ns: ms * 1_000_000,
            system_ns: 20_000_000,
        };
        points.points[1].usage = Some(seen(90, 1, 0, 10));
        let shown = usage(&points).expect("a usage");
        assert_eq!(
            shown,
            "up to 90.0 MiB resident, 1 page fault, 30.0 ms CPU time"
        );
        points.points[1].usage = Some(Usage::default());
        let shown = usage(&points).expect("a usage");
        assert_eq!(
            shown,
            "up to 0 B resident, 0 page faults, no tick of CPU time"
        );
        points.points[1].usage = Some(seen(90, 1, 0, 10));
        points.points[2].usage = Some(seen(40, 1200, 35, 1480));
        let shown = usage(&points).expect("a usage");
        assert_eq!(
            shown,
            "up to 90.0 MiB resident, 1,235 page faults (35 from disk), 1.50 s CPU time"
        );
        points.points[3].usage = Some(seen(u64::MAX >> 20, u64::MAX, u64::MAX, 1));
        assert!(usage(&points).is_some());
    }
}
