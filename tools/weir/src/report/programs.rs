//! The process images by executable, where there are too many of them to show each.

use std::cmp::Reverse;

use weir_report::model::{EndKind, Process};
use weir_report::recording::Groups;

use super::heap::NOT_KNOWN;
use super::measure::{self, CallSums};
use super::page::{Cell, Column, Page, Table};
use super::processes;
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
const SHOWN: usize = 24;
/// How many images are added up at once: so many copies of images there are at a time.
const BATCH: usize = 128;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    if subject.count() <= processes::SHOWN as u64 {
        return;
    }
    let groups = by_executable(&subject.processes);
    let mut programs: Vec<(&Process, CallSums)> = groups
        .entries()
        .map(|program| (program, CallSums::of(&program.functions)))
        .collect();
    programs.sort_by_key(|(program, totals)| (Reverse(totals.key(sort)), &program.executable));

    let order = measure::order(sort);
    page.heading("Programs", &format!("the processes by executable, {order}"));
    let has_waited = programs.iter().any(|(_, totals)| totals.waited.is_some());
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
    for (program, totals) in programs.iter().take(SHOWN) {
        let mut row = vec![
            Cell::new(units::count(program.stands_for())),
            Cell::new(units::count(failed(program))),
            Cell::new(units::count(totals.calls)),
            Cell::new(units::bytes(totals.allocated_bytes)),
            Cell::new(match program.heap.not_known {
                Some(_) => NOT_KNOWN.to_owned(),
                None => units::signed_bytes(program.heap.live_bytes),
            }),
            Cell::new(units::bytes(totals.moved_bytes)),
            Cell::new(measure::shown(totals.time)),
            Cell::new(name(program)),
        ];
        if has_waited {
            row.insert(7, Cell::new(measure::shown(totals.waited)));
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

/// An entry for each executable, with the sums of its images.
fn by_executable(images: &[&Process]) -> Groups {
    let mut groups = Groups::default();
    for batch in images.chunks(BATCH) {
        groups.add(batch.iter().map(|image| with_counts_only(image)).collect());
    }
    groups
}

/// What this table does not show need not be added up.
fn with_counts_only(image: &Process) -> Process {
    let mut image = image.clone();
    image.stacks = None;
    image.files = Default::default();
    image.coroutines = None;
    image.threads.clear();
    image.provenance.clear();
    image
}

/// How many of its images a signal ended, or have a status that is not 0.
fn failed(program: &Process) -> u64 {
    let ends = program.folded.iter().flat_map(|folded| &folded.ends);
    let failed = ends.filter(|count| {
        count.end.how == EndKind::Signaled || count.end.status.is_some_and(|status| status != 0)
    });
    failed.fold(0, |sum, count| sum.saturating_add(count.processes))
}

fn name(program: &Process) -> String {
    match program.executable.as_str() {
        "" => "(other executables)".to_owned(),
        path => text::printable(path).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{End, Function, Heap, Report};
    use weir_report::recording;

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
