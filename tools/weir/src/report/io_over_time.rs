//! How fast processes read and wrote over time, as lines of blocks.

use weir_report::model::{Process, Timeline, TimelinePoint};

use super::page::Page;
use super::sparkline;
use super::subject::Subject;
use crate::{text, units};

/// A counter of bytes.
struct Direction {
    name: &'static str,
    bytes: fn(&TimelinePoint) -> u64,
}

const DIRECTIONS: [Direction; 3] = [
    Direction {
        name: "read",
        bytes: |point| point.read_bytes,
    },
    Direction {
        name: "written",
        bytes: |point| point.written_bytes,
    },
    Direction {
        name: "copied",
        bytes: |point| point.copied_bytes,
    },
];

/// One line of the section.
struct Line<'a> {
    process: &'a Process,
    before: String,
    counter: Counter,
    after: String,
}

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let moved = |process: &Process| {
        let totals = DIRECTIONS.map(|of| Counter::of(&process.timeline, of.bytes).total());
        Some(totals.into_iter().fold(0, u64::saturating_add)).filter(|&moved| moved > 0)
    };
    let (processes, more) = sparkline::shown(subject, moved);
    if processes.is_empty() {
        return;
    }
    page.heading(
        "I/O over time",
        "bytes per second of each process image, from start to end",
    );
    let room = page.room();
    let labels: Vec<String> = { processes.iter() }
        .map(|process| sparkline::label(subject, process, room))
        .collect();
    let widest = labels.iter().map(|label| text::width(label)).max();
    let widest = widest.unwrap_or(0);
    let lines: Vec<Line<'_>> = { processes.iter().zip(&labels) }
        .flat_map(|(process, label)| {
            let space = " ".repeat(widest - text::width(label));
            lines(process, &format!("{label}{space}"), room)
        })
        .collect();
    let widest_of = |of: fn(&Line<'_>) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let left = widest_of(|line| text::width(&line.before));
    let right = widest_of(|line| text::width(&line.after));
    let columns = sparkline::columns(room, left, right);
    for line in &lines {
        let stretches = line.counter.stretches(line.process.duration_ns, columns);
        let blocks = sparkline::blocks(&stretches);
        page.line(&format!("{}{blocks}{}", line.before, line.after));
    }
    if more > 0 {
        let more = text::counted(
            more as u64,
            "process that moved less",
            "processes that moved less",
        );
        page.remark(&format!("and {more}"));
    }
}

/// Those of a process: one for each direction in which it moved anything. The first has its label, and the others room for it.
fn lines<'a>(process: &'a Process, label: &str, room: usize) -> Vec<Line<'a>> {
    let widest = DIRECTIONS.map(|of| of.name.len()).into_iter().max();
    let widest = widest.unwrap_or(0) + 2;
    let interval_ns = process.timeline.interval_ns;
    let used = DIRECTIONS.iter().filter_map(|of| {
        let counter = Counter::of(&process.timeline, of.bytes);
        (counter.total() > 0).then_some((of.name, counter))
    });
    let lines = used.enumerate().map(|(number, (name, counter))| {
        let label = match number {
            0 => label.to_owned(),
            _ => " ".repeat(text::width(label)),
        };
        let most = units::bytes(counter.largest_rate(interval_ns));
        Line {
            process,
            before: format!("{label}{name:widest$}"),
            after: match sparkline::is_narrow(room) {
                true => format!("  {most}/s"),
                false => format!("  up to {most}/s"),
            },
            counter,
        }
    });
    lines.collect()
}

/// What a counter had come to at moments of a process's life, in their order: nanoseconds, and bytes.
struct Counter(Vec<(u64, u64)>);

impl Counter {
    fn of(timeline: &Timeline, bytes: fn(&TimelinePoint) -> u64) -> Counter {
        let points = timeline.points.iter();
        let mut points: Vec<(u64, u64)> = points.map(|point| (point.at_ns, bytes(point))).collect();
        // Nothing had been moved at the start.
        points.push((0, 0));
        points.sort_unstable();
        Counter(points)
    }

    fn total(&self) -> u64 {
        self.0.last().map_or(0, |&(_, bytes)| bytes)
    }

    /// The most bytes for each second, over half an interval of the timeline at least: points may lie closer together by chance, and
    /// say nothing of how fast the program was.
    fn largest_rate(&self, interval_ns: u64) -> u64 {
        let least = (interval_ns / 2).max(1);
        let mut apart: Vec<(u64, u64)> = Vec::with_capacity(self.0.len());
        for &point in &self.0 {
            if apart
                .last()
                .is_none_or(|before| point.0 - before.0 >= least)
            {
                apart.push(point);
            }
        }
        // The last one is always there: what was moved up to the end counts, too.
        if let Some(&last) = self.0.last() {
            if apart.len() > 1 && apart.last() != Some(&last) {
                apart.pop();
            }
            apart.push(last);
        }
        let rates = apart.windows(2).map(|pair| {
            let [(from, before), (to, after)] = [pair[0], pair[1]];
            let ns = (to - from).max(1);
            (u128::from(after.saturating_sub(before)) * 1_000_000_000 / u128::from(ns)) as u64
        });
        rates.max().unwrap_or(0)
    }

    /// How many bytes were moved in each of so many stretches of time. Between two points a counter is taken to grow evenly.
    fn stretches(&self, duration_ns: u64, columns: usize) -> Vec<u64> {
        let end = self.0.last().map_or(0, |&(at, _)| at).max(duration_ns);
        let width = (end.max(1)) as f64 / columns as f64;
        let column = |at: u64| ((at as f64 / width) as usize).min(columns - 1);
        let mut moved = vec![0.0_f64; columns];
        for pair in self.0.windows(2) {
            let [(from, before), (to, after)] = [pair[0], pair[1]];
            let grown = after.saturating_sub(before) as f64;
            if grown == 0.0 {
                continue;
            }
            let (first, last) = (column(from), column(to));
            if first == last {
                moved[first] += grown;
                continue;
            }
            for (index, moved) in (first..).zip(&mut moved[first..=last]) {
                let begin = (index as f64 * width).max(from as f64);
                let until = ((index + 1) as f64 * width).min(to as f64);
                *moved += grown * (until - begin).max(0.0) / (to - from) as f64;
            }
        }
        moved
            .into_iter()
            .map(|bytes| bytes.round() as u64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::Report;

    use super::*;
    use crate::report::{Options, rendered};

    const S: u64 = 1_000_000_000;

    fn counter(points: &[(u64, u64)]) -> Counter {
        let points = points.iter().map(|&(at_ns, read_bytes)| TimelinePoint {
            at_ns,
            read_bytes,
            ..TimelinePoint::default()
        });
        let timeline = Timeline {
            interval_ns: S,
            points: points.collect(),
        };
        Counter::of(&timeline, |point| point.read_bytes)
    }

    #[test]
    fn a_line_is_as_high_as_what_was_moved_in_each_stretch() {
        let counter = counter(&[(S, 100), (2 * S, 100), (4 * S, 500)]);
        assert_eq!(counter.stretches(4 * S, 4), [100, 0, 200, 200]);
        assert_eq!(counter.stretches(8 * S, 4), [100, 400, 0, 0]);
        assert_eq!(counter.stretches(0, 1), [500]);
        assert_eq!(counter.stretches(4 * S, 8).iter().sum::<u64>(), 500);
        assert_eq!(sparkline::blocks(&counter.stretches(4 * S, 4)), "▄ ██");
    }

    #[test]
    fn the_largest_rate_is_of_a_second_and_not_of_a_moment() {
        assert_eq!(counter(&[(S, 100), (2 * S, 700)]).largest_rate(S), 600);
        // 50 bytes in a microsecond, at the end.
        let at_once = counter(&[(S, 100), (S + 1000, 150), (3 * S, 150)]);
        assert_eq!(at_once.largest_rate(S), 100);
        let at_end = counter(&[(S, 100), (2 * S, 200), (2 * S + 1000, 250)]);
        assert_eq!(at_end.largest_rate(S), 149);
        let soon = counter(&[(1000, 50), (S, 100)]);
        assert_eq!(soon.largest_rate(S), 100);
        assert_eq!(counter(&[(S / 4, 100)]).largest_rate(S), 400);
        assert_eq!(counter(&[]).largest_rate(S), 0);
    }

    #[test]
    fn a_forged_timeline_has_a_line_all_the_same() {
        let forged = counter(&[(u64::MAX, 1), (0, u64::MAX), (7, 3)]);
        assert_eq!(forged.stretches(u64::MAX, 3).len(), 3);
        assert_eq!(forged.largest_rate(0), 428_571_428, "3 bytes in 7 ns");
        assert_eq!(counter(&[(0, 0), (0, 9)]).stretches(0, 2), [9, 0]);
    }

    /// Python reads at the start and writes at the end; a child with a short name copies.
    fn report() -> Report {
        let mut report = crate::sample::report();
        for (at, point) in (0..).zip(&mut report.processes[1].timeline.points) {
            point.read_bytes = (at * at).min(900) * 100_000;
            point.written_bytes = u64::saturating_sub(at, 60).pow(3) * 1500;
        }
        report.processes[2].timeline.points[2].copied_bytes = 5 << 20;
        report.processes[2].title = Some("cp".to_owned());
        report
    }

    fn section(report: &Report, width: usize, process: Option<u32>) -> String {
        let options = Options {
            sort: Default::default(),
            process,
            function: None,
            file: None,
            width,
            coloured: false,
        };
        let page = rendered(report, &options).expect("a page");
        let mut sections = page.split("\n\n");
        let found = sections.find(|section| section.starts_with("I/O over time"));
        found.unwrap_or_default().to_owned()
    }

    #[test]
    fn the_section_fits_each_width() {
        for width in [60, 80, 120, 200] {
            let page = section(&report(), width, None);
            insta::assert_snapshot!(format!("io_over_time_{width}"), page);
        }
    }

    #[test]
    fn one_process_has_no_name_and_what_moved_nothing_no_line() {
        let report = report();
        let of_one = section(&report, 80, Some(report.processes[1].pid));
        let lines: Vec<&str> = of_one.lines().skip(1).collect();
        assert_eq!(lines.len(), 2, "{of_one}");
        assert!(lines[0].starts_with("  read     "), "{of_one}");
        assert!(lines[1].starts_with("  written  "), "{of_one}");
        assert_eq!(section(&report, 80, Some(report.processes[0].pid)), "");
    }

    #[test]
    fn of_many_processes_those_that_moved_most_are_shown() {
        let mut report = report();
        for more in 1..=10 {
            let mut process = report.processes[2].clone();
            process.pid = 5000 + more;
            process.timeline.points[2].copied_bytes = u64::from(more);
            report.processes.push(process);
        }
        let page = section(&report, 80, None);
        assert!(page.ends_with("and 4 processes that moved less"), "{page}");
        assert!(page.contains("5010 ") && !page.contains("5004 "), "{page}");
    }
}
