//! The process images by executable, where there are too many of them to show each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use weir_report::model::{End, EndKind, Process};
use weir_report::recording;

use super::heap::NOT_KNOWN;
use super::measure::{self, CallSums};
use super::page::{Cell, Column, Page, Table};
use super::processes;
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
const SHOWN: usize = 24;

/// The images of an executable whose heaps are all known, or all not known for one reason.
struct Program<'a> {
    executable: &'a str,
    processes: u64,
    failed: u64,
    /// None where the heaps are not known.
    live_bytes: Option<i64>,
    sums: CallSums,
}

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    if subject.count() <= processes::SHOWN as u64 {
        return;
    }
    let mut programs = by_executable(&subject.processes);
    programs.sort_by_key(|program| (Reverse(program.sums.key(sort)), program.executable));

    let order = measure::order(sort);
    page.heading("Programs", &format!("the processes by executable, {order}"));
    let has_waited = programs.iter().any(|program| program.sums.waited.is_some());
    let mut columns = vec![
        Column::number("processes", 0),
        Column::number("failed", 6),
        Column::number("calls", 2),
        Column::number("asked for", 3),
        Column::number("live", 4),
        Column::number("moved", 5),
        Column::number("time", 0),
        Column::path("executable", 1, 20),
    ];
    if has_waited {
        columns.insert(7, Column::number("waited", 2));
    }
    let mut table = Table::new(columns);
    for program in programs.iter().take(SHOWN) {
        let sums = &program.sums;
        let mut row = vec![
            Cell::new(units::count(program.processes)),
            Cell::new(units::count(program.failed)),
            Cell::new(units::count(sums.calls)),
            Cell::new(units::bytes(sums.allocated_bytes)),
            Cell::new(match program.live_bytes {
                Some(live) => units::signed_bytes(live),
                None => NOT_KNOWN.to_owned(),
            }),
            Cell::new(units::bytes(sums.moved_bytes)),
            Cell::new(measure::shown(sums.time)),
            Cell::new(program.name()),
        ];
        if has_waited {
            row.insert(7, Cell::new(measure::shown(sums.waited)));
        }
        table.push(row);
    }
    page.table(table);
    let more = programs.len().saturating_sub(SHOWN);
    if more > 0 {
        let more = text::counted(more as u64, "more program", "more programs");
        page.remark(&format!("and {more}"));
    }
    page.remark(
        "a forked process counts for the executable of its parent, until it executes another",
    );
}

/// The images of each executable, added up.
fn by_executable<'a>(images: &[&'a Process]) -> Vec<Program<'a>> {
    let mut groups: BTreeMap<(&str, Option<&str>), Vec<&'a Process>> = BTreeMap::new();
    for image in images {
        let group = (&*image.executable, image.heap.not_known.as_deref());
        groups.entry(group).or_default().push(image);
    }
    let groups = groups.into_iter();
    let programs = groups.map(|((executable, reason), images)| {
        let sum = |of: fn(&Process) -> u64| images.iter().map(move |image| of(image));
        let live = images.iter().map(|image| image.heap.live_bytes);
        Program {
            executable,
            processes: sum(Process::stands_for).fold(0, u64::saturating_add),
            failed: sum(failed).fold(0, u64::saturating_add),
            live_bytes: reason.is_none().then(|| live.fold(0, i64::saturating_add)),
            sums: CallSums::of(&recording::functions_together(images.iter().copied())),
        }
    });
    programs.collect()
}

/// Of how many of its images a signal was the end, or a status that is not 0.
fn failed(entry: &Process) -> u64 {
    let has_failed =
        |end: &End| end.how == EndKind::Signaled || end.status.is_some_and(|status| status != 0);
    match &entry.folded {
        None => has_failed(&entry.end).into(),
        Some(folded) => {
            let failed = folded.ends.iter().filter(|count| has_failed(&count.end));
            failed.fold(0, |sum, count| sum.saturating_add(count.processes))
        }
    }
}

impl Program<'_> {
    fn name(&self) -> String {
        match self.executable {
            "" => "(other executables)".to_owned(),
            path => text::printable(path).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{Function, Heap, Report};
    use weir_report::recording::Groups;

    use super::*;
    use crate::sample;

    /// An image that has read `pid` times as many bytes.
    fn image(pid: u32, executable: &str) -> Process {
        let mut image = sample::report().processes[0].clone();
        let read = Function {
            family: "file".to_owned(),
            calls: u64::from(pid),
            moved_bytes: u64::from(pid),
            ..Function::default()
        };
        image.functions = [("read".to_owned(), read)].into();
        image.heap = Heap {
            live_bytes: 1024,
            ..Heap::default()
        };
        image.pid = pid;
        image.executable = executable.to_owned();
        image.started_unix_ns = u64::from(pid);
        image
    }

    fn rows(images: Vec<Process>) -> Vec<String> {
        let report: Report = recording::report(images, End::default(), 1);
        let mut page = Page::new(120, false);
        show(&mut page, &Subject::whole(&report), Sort::Calls);
        let text = page.into_text();
        let lines = text.lines().skip_while(|line| line.is_empty());
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn every_executable_has_the_sums_of_its_processes() {
        let mut images: Vec<Process> = (1..=40)
            .map(|pid| {
                image(
                    pid,
                    if pid % 4 == 0 {
                        "/bin/few"
                    } else {
                        "/bin/many"
                    },
                )
            })
            .collect();
        images[0].end.status = Some(1);
        images[1].end = End {
            how: EndKind::Signaled,
            status: None,
            signal: Some(9),
        };
        assert_eq!(
            rows(images),
            [
                "Programs the processes by executable, by calls",
                "processes failed calls asked for live moved time executable",
                "30 2 600 0 B 30.0 KiB 600 B – /bin/many",
                "10 0 220 0 B 10.0 KiB 220 B – /bin/few",
                "a forked process counts for the executable of its parent, until it executes another",
            ]
        );
    }

    #[test]
    fn images_that_share_an_entry_are_all_counted() {
        let mut groups = Groups::default();
        groups.add((1..=30).map(|pid| image(pid, "/bin/many")).collect());
        let mut images: Vec<Process> = groups.into_entries().collect();
        images.push(image(31, "/bin/many"));
        assert_eq!(rows(images)[2], "31 0 496 0 B 31.0 KiB 496 B – /bin/many");
    }

    #[test]
    fn of_many_executables_the_first_are_shown_and_the_others_counted() {
        let images = (1..=100).map(|pid| image(pid, &format!("/bin/x{pid}")));
        let rows = rows(images.collect());
        assert_eq!(rows[2], "1 0 100 0 B 1.00 KiB 100 B – /bin/x100");
        assert_eq!(rows[2 + SHOWN], "and 76 more programs");
    }

    #[test]
    fn few_processes_have_a_row_each_and_no_programs() {
        let few = |count: u32| rows((1..=count).map(|pid| image(pid, "/bin/x")).collect());
        assert_eq!(few(processes::SHOWN as u32), [""; 0]);
        assert_ne!(few(processes::SHOWN as u32 + 1), [""; 0]);
    }

    #[test]
    fn a_heap_that_is_not_known_does_not_hide_the_others() {
        let mut images: Vec<Process> = (1..=30).map(|pid| image(pid, "/bin/x")).collect();
        images[29].heap.not_known = Some("of a reason".to_owned());
        let rows = rows(images);
        assert_eq!(rows[2], "29 0 435 0 B 29.0 KiB 435 B – /bin/x");
        assert_eq!(rows[3], "1 0 30 0 B not known 30 B – /bin/x");
    }
}
