//! `weir report --file GLOB`: all that a report has of one file or socket.

use std::cmp::Reverse;
use std::collections::HashMap;

use weir_report::model::{FileUse, Process, Spread};
use wildmatch::WildMatch;

use super::page::{Cell, Column, Page, Table};
use super::sizes;
use super::subject::{self, Subject};
use crate::cli::SiteArgs;
use crate::exit_code;
use crate::failure::Failure;
use crate::sites::Sites;
use crate::{text, units};

/// How many processes, functions and call sites are shown: of more, those with the most time.
const SHOWN: usize = 10;

/// Shows the files and sockets with such a name, or such a last part of it.
///
/// # Errors
/// There is none.
pub fn show(page: &mut Page, subject: &Subject<'_>, pattern: &str) -> Result<(), Failure> {
    let wanted = WildMatch::new(pattern);
    let is_wanted =
        |file: &&FileUse| wanted.matches(&file.name) || wanted.matches(text::file_name(&file.name));
    let files: Vec<&FileUse> = subject.files.listed.iter().filter(is_wanted).collect();
    if files.is_empty() {
        let unlisted = match subject.files.folded {
            0 => String::new(),
            many => {
                let files = text::counted(many, "file is", "files are");
                format!(" ({files} not listed by name)")
            }
        };
        let message =
            format!("no file or socket was used whose name is like '{pattern}'{unlisted}");
        return Err(Failure::new(exit_code::USAGE, message)
            .with_remedy("* stands for any text: weir report without --file lists them"));
    }
    let sites = Sites::asked(&subject.processes, &SiteArgs::default()).ok();
    for file in files {
        show_one(page, subject, sites.as_ref(), file);
    }
    Ok(())
}

fn show_one(page: &mut Page, subject: &Subject<'_>, sites: Option<&Sites>, file: &FileUse) {
    let name = match file.name.is_empty() {
        true => file.kind.clone(),
        false => text::printable(&file.name).into_owned(),
    };
    let aside = if file.name.is_empty() { "" } else { &file.kind };
    let room = page.room().saturating_sub(text::width(aside) + 2);
    page.heading(&text::cut_front(&name, room), aside);
    page.pairs(&facts(file));
    if !file.size_classes.is_empty() {
        page.heading("Sizes of reads and writes", "");
        sizes::chart(page, &file.size_classes);
    }
    for (heading, spread) in [
        ("How long calls waited", &file.wait),
        ("How long calls transferred", &file.transfer),
    ] {
        if let Some(spread) = spread {
            show_spread(page, heading, spread);
        }
    }
    if let Some(sites) = sites {
        show_sites(page, sites, file);
    }
    show_processes(page, subject, file);
}

fn facts(file: &FileUse) -> Vec<(&'static str, String)> {
    let calls = |calls: u64, bytes: u64, ns: u64| {
        let calls = text::counted(calls, "call", "calls");
        format!("{calls}, {}, {}", units::bytes(bytes), units::time(ns))
    };
    let mut facts = Vec::new();
    if file.opens > 0 {
        facts.push(("opened", text::counted(file.opens, "time", "times")));
    }
    if file.reads > 0 {
        facts.push(("reads", calls(file.reads, file.read_bytes, file.read_ns)));
    }
    if file.writes > 0 {
        facts.push((
            "writes",
            calls(file.writes, file.written_bytes, file.write_ns),
        ));
    }
    if file.other_calls > 0 {
        let calls = text::counted(file.other_calls, "call", "calls");
        facts.push(("others", format!("{calls}, {}", units::time(file.other_ns))));
    }
    if file.mapped_bytes > 0 {
        facts.push(("mapped", units::bytes(file.mapped_bytes)));
    }
    if file.errors > 0 {
        facts.push(("failed", text::counted(file.errors, "call", "calls")));
    }
    if file.sequential > 0 || file.random > 0 {
        facts.push((
            "order",
            format!(
                "{} began where the one before ended, {} did not; {} between reading and writing",
                text::counted(file.sequential, "call", "calls"),
                units::count(file.random),
                text::counted(file.switches, "change", "changes"),
            ),
        ));
    }
    if let Some(slowest) = &file.slowest {
        facts.push((
            "slowest",
            format!(
                "{} took {} at +{}, {} moved, process {}",
                text::printable(&slowest.function),
                units::time(slowest.took_ns),
                units::time(slowest.at_ns),
                units::bytes(slowest.moved_bytes),
                slowest.pid
            ),
        ));
    }
    facts
}

fn show_spread(page: &mut Page, heading: &str, spread: &Spread) {
    let rows = spread.classes.iter().map(|class| {
        let label = format!(
            "{}–{}",
            units::time(class.from_ns),
            units::time(class.to_ns)
        );
        (label, class.calls)
    });
    let rows: Vec<(String, u64)> = rows.collect();
    let most = rows.iter().map(|row| row.1).max().unwrap_or(0);
    let calls = text::counted(spread.calls, "call", "calls");
    page.heading(
        heading,
        &format!("{calls}, {} in all", units::time(spread.total_ns)),
    );
    page.bars(&rows, most);
}

/// What calls about a file come to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: u64,
    errors: u64,
    moved_bytes: u64,
    time_ns: u64,
}

/// The functions that were called about it, and from where.
fn show_sites(page: &mut Page, sites: &Sites, file: &FileUse) {
    let files = &sites.stacks.files;
    let users = sites.users();
    let mut functions: HashMap<&str, Sum> = HashMap::new();
    let mut places: HashMap<(String, &str), Sum> = HashMap::new();
    for site in &sites.stacks.sites {
        let about = site.by_file.iter().filter(|part| {
            let of = files.get(part.file as usize);
            of.is_some_and(|of| of.kind == file.kind && of.name == file.name)
        });
        for part in about {
            let place = sites.place(site.frame.map(|frame| users[frame as usize]));
            let function = site.function.as_str();
            for sum in [
                functions.entry(function).or_default(),
                places.entry((place.clone(), function)).or_default(),
            ] {
                sum.calls = sum.calls.saturating_add(part.calls);
                sum.errors = sum.errors.saturating_add(part.errors);
                sum.moved_bytes = sum.moved_bytes.saturating_add(part.moved_bytes);
                sum.time_ns = sum.time_ns.saturating_add(part.time_ns);
            }
        }
    }
    let aside = match sites.stacks.sampled_bytes {
        Some(_) => "without calls before the first sample of a function",
        None => "",
    };
    let functions = functions
        .into_iter()
        .map(|(function, sum)| (function.to_owned(), sum));
    section(page, "Functions", aside, "function", functions.collect());
    let places = places
        .into_iter()
        .map(|((place, function), sum)| (format!("{function} by {place}"), sum));
    section(page, "Call sites", aside, "call site", places.collect());
}

fn section(
    page: &mut Page,
    heading: &str,
    aside: &str,
    title: &'static str,
    mut rows: Vec<(String, Sum)>,
) {
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|(name, sum), (other, of_other)| {
        let key = |sum: &Sum| Reverse((sum.time_ns, sum.calls));
        key(sum).cmp(&key(of_other)).then_with(|| name.cmp(other))
    });
    page.heading(heading, aside);
    let mut table = Table::new([
        Column::name(title, 0, 12),
        Column::number("calls", 0),
        Column::number("failed", 2),
        Column::number("moved", 1),
        Column::number("time", 0),
    ]);
    for (name, sum) in rows.iter().take(SHOWN) {
        table.push([
            Cell::new(name),
            Cell::new(units::count(sum.calls)),
            Cell::new(units::count(sum.errors)),
            Cell::new(units::bytes(sum.moved_bytes)),
            Cell::new(units::time(sum.time_ns)),
        ]);
    }
    page.table(table);
    if rows.len() > SHOWN {
        page.remark(&format!(
            "and {} more",
            units::count((rows.len() - SHOWN) as u64)
        ));
    }
}

fn show_processes(page: &mut Page, subject: &Subject<'_>, file: &FileUse) {
    if !subject.has_many_processes() {
        return;
    }
    let its = |process: &Process| {
        let mut listed = process.files.listed.iter();
        listed
            .find(|of| of.kind == file.kind && of.name == file.name)
            .cloned()
    };
    let with_it = subject.processes.iter();
    let with_it = with_it.filter_map(|process| Some((*process, its(process)?)));
    let mut rows: Vec<(&Process, FileUse)> = with_it.collect();
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|(_, of)| Reverse((of.total_ns(), of.calls())));
    page.heading("Processes", "by time");
    let mut table = Table::new([
        Column::number("pid", 1),
        Column::name("program", 0, 12),
        Column::number("opens", 2),
        Column::number("reads", 0),
        Column::number("read", 1),
        Column::number("writes", 0),
        Column::number("written", 1),
        Column::number("time", 0),
    ]);
    for (process, of) in rows.iter().take(SHOWN) {
        table.push([
            Cell::new(match process.folded {
                None => process.pid.to_string(),
                Some(_) => units::NONE.to_owned(),
            }),
            Cell::new(subject::name(process)),
            Cell::new(units::count(of.opens)),
            Cell::new(units::count(of.reads)),
            Cell::new(units::bytes(of.read_bytes)),
            Cell::new(units::count(of.writes)),
            Cell::new(units::bytes(of.written_bytes)),
            Cell::new(units::time(of.total_ns())),
        ]);
    }
    page.table(table);
    if rows.len() > SHOWN {
        let more = text::counted((rows.len() - SHOWN) as u64, "process", "processes");
        page.remark(&format!("and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{FilePart, Frame, Module, Report, Site, SiteFile, Stacks};

    use super::*;
    use crate::sample;

    fn page(report: &Report, pattern: &str, width: usize) -> Result<String, String> {
        let mut page = Page::new(width, false);
        show(&mut page, &Subject::whole(report), pattern)
            .map_err(|failure| failure.in_one_line())?;
        Ok(page.into_text())
    }

    /// The sample, with the call site of 100 of the reads of its database.
    fn with_site() -> Report {
        let mut report = sample::report();
        let file = report
            .files
            .listed
            .iter()
            .find(|file| file.name.ends_with("objects.db"));
        let file = file.expect("the database");
        let file = SiteFile {
            kind: file.kind.clone(),
            name: file.name.clone(),
        };
        report.processes[1].stacks = Some(Stacks {
            modules: vec![Module {
                path: "/nowhere/a.out".to_owned(),
                ..Module::default()
            }],
            frames: vec![Frame {
                parent: None,
                module: Some(0),
                offset: 1,
            }],
            files: vec![file],
            sites: vec![Site {
                frame: Some(0),
                function: "read".to_owned(),
                calls: 150,
                by_file: vec![FilePart {
                    file: 0,
                    calls: 100,
                    errors: 1,
                    requested_bytes: 4096,
                    moved_bytes: 4000,
                    time_ns: 5_000_000,
                }],
                ..Site::default()
            }],
            ..Stacks::default()
        });
        report
    }

    #[test]
    fn a_file_in_detail_fits_narrow_and_wide_terminals() {
        for width in [60, 80, 120, 200] {
            let page = page(&with_site(), "objects.db", width).expect("a page");
            for line in page.lines() {
                assert!(text::width(line) <= width, "{width}: {line}");
            }
            insta::assert_snapshot!(format!("objects_{width}"), page);
        }
    }

    #[test]
    fn a_pattern_shows_each_file() {
        let report = sample::report();
        let files = |pattern: &str| {
            let page = page(&report, pattern, 200).expect("a page");
            page.lines()
                .filter(|line| !line.is_empty() && !line.starts_with(' '))
                .count()
        };
        assert!(files("*") > files("*.py"));
        assert!(files("*.py") > 1);
    }

    #[test]
    fn what_was_not_used_is_said() {
        let refused = page(&sample::report(), "nothing", 80).expect_err("a refusal");
        let expected = "no file or socket was used whose name is like 'nothing' (1,204 files are not listed by name); ";
        assert!(refused.starts_with(expected), "{refused}");
    }
}
