use std::path::Path;

use weir_report::model::{CodeName, CodePlace};

use super::*;
use crate::sample;

use crate::sites::{Naming, Patterns, sample as named};

/// The page of `shelf`.
fn shown(width: usize, change: impl FnOnce(&mut Options)) -> String {
    let mut report = sample::report();
    report.command = ["shelf", "catalogue.txt"].map(str::to_owned).into();
    let sites = named::sites();
    report.processes.truncate(1);
    report.processes[0].stacks = Some(sites.stacks.clone());
    let mut options = Options {
        metric: None,
        wanted: Wanted::default(),
        around: None,
        top: 10,
        fold: 0.01,
        all_frames: false,
        width,
        coloured: false,
    };
    change(&mut options);
    let processes: Vec<&Process> = report.processes.iter().collect();
    rendered(&report, &processes, &sites, &options)
}

fn patterns(texts: &[&str]) -> Patterns {
    let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
    Patterns::of(&texts)
}

/// It is in the manual, too.
#[test]
fn a_page_of_80_columns() {
    let page = shown(80, |_| {});
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let manual = std::fs::read_to_string(path).expect("docs/commands.md can be read");
    let trimmed: Vec<&str> = page.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(page);
    assert!(
        manual.contains(&trimmed.join("\n")),
        "docs/commands.md does not have the page:\n{page}"
    );
}

#[test]
fn a_page_of_120_columns_with_all_frames() {
    insta::assert_snapshot!(shown(120, |options| {
        options.all_frames = true;
        options.fold = 0.0;
    }));
}

#[test]
fn a_page_of_one_function() {
    insta::assert_snapshot!(shown(100, |options| {
        options.wanted.focus = patterns(&["shelf::pack"]);
        options.wanted.ignore = patterns(&["libz*"]);
        options.metric = Some(Metric::Calls);
        options.top = 2;
    }));
}

#[test]
fn a_page_around_a_function() {
    insta::assert_snapshot!(shown(80, |options| {
        options.around = Some("shelf::pack".to_owned());
    }));
}

#[test]
fn a_page_around_what_was_called() {
    insta::assert_snapshot!(shown(80, |options| {
        options.around = Some("malloc".to_owned());
        options.top = 2;
    }));
}

#[test]
fn what_no_stack_has_is_said() {
    let page = shown(80, |options| options.wanted.focus = patterns(&["nowhere"]));
    assert!(
        page.contains("\nCall sites\n  none has such a stack\n"),
        "{page}"
    );
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in (40..200).step_by(3) {
        for all_frames in [false, true] {
            let page = shown(width, |options| options.all_frames = all_frames)
                + &shown(width, |options| {
                    options.all_frames = all_frames;
                    options.around = Some("shelf::pack".to_owned());
                });
            for line in page.lines() {
                assert!(
                    text::width(line) <= width,
                    "{} > {width}: {line}",
                    text::width(line)
                );
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = shown(100, |options| options.coloured = true);
    assert!(coloured.contains("\x1b["));
    let mut plain = String::new();
    for (index, part) in coloured.split('\x1b').enumerate() {
        match part.split_once('m') {
            Some((_, text)) if index > 0 => plain.push_str(text),
            _ => plain.push_str(part),
        }
    }
    let lines = |page: &str| -> Vec<String> {
        page.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    assert_eq!(lines(&plain), lines(&shown(100, |_| {})));
}

/// Every number of allocations that is an estimate is marked as one, and no other.
#[test]
fn estimates_are_marked() {
    let mut sites = named::sites();
    let exact = greatest(&sites, Group::Allocation, Metric::Bytes, 1);
    sites.stacks.sampled_bytes = Some(512 << 10);
    let estimated = greatest(&sites, Group::Allocation, Metric::Bytes, 1);
    assert_eq!(estimated[0].count, format!("≈{}", exact[0].count));
    assert_eq!(estimated[0].share, exact[0].share.replace(" of ", " of ≈"));
    let wanted = vec![true; sites.stacks.sites.len()];
    let aside = |group, metric| part(&sites, &wanted, group, metric).aside();
    assert_eq!(
        aside(Group::Allocation, Metric::Bytes).matches('≈').count(),
        2
    );
    assert!(!aside(Group::Io, Metric::Time).contains('≈'));
}

/// A report of many sites, with extremes and with names that are commands to a terminal.
#[test]
fn forged_stacks_neither_panic_nor_command_the_terminal() {
    let mut report = sample::report();
    report.processes.truncate(1);
    let mut stacks = named::sites().stacks;
    for site in &mut stacks.sites {
        site.function.push_str("\x1b[2J\u{202e}");
        (
            site.calls,
            site.time_ns,
            site.requested_bytes,
            site.moved_bytes,
        ) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
    }
    for module in &mut stacks.modules {
        module.path = "/\x1b]0;x\x07\n".to_owned();
        module.build_id = Some("\x1b[2J".to_owned());
        let place = CodePlace {
            function: Some("\x1b[2Jf\u{202e}\n".to_owned()),
            file: Some("/\x1b]0;x\x07\n".to_owned()),
            line: Some(u32::MAX),
        };
        module.names = [0, u64::MAX]
            .map(|offset| CodeName {
                offset,
                places: vec![place.clone()],
            })
            .into();
    }
    for (index, frame) in stacks.frames.iter_mut().enumerate() {
        frame.offset = u64::MAX * (index as u64 % 2);
    }
    stacks.ended = [("\x1b[2J".to_owned(), u64::MAX), ("x".to_owned(), u64::MAX)].into();
    report.processes[0].stacks = Some(stacks);
    let processes: Vec<&Process> = report.processes.iter().collect();
    for metric in [
        None,
        Some(Metric::Bytes),
        Some(Metric::Calls),
        Some(Metric::Moved),
    ] {
        let sites = Sites::of(processes.iter().copied(), &[], Naming::Whole).expect("stacks");
        let options = Options {
            metric,
            wanted: Wanted::default(),
            around: None,
            top: 10,
            fold: 0.01,
            all_frames: true,
            width: 80,
            coloured: false,
        };
        let page = rendered(&report, &processes, &sites, &options);
        assert!(
            !page.contains(|c: char| c.is_control() && c != '\n'),
            "{page}"
        );
        assert!(!page.contains('\u{202e}'), "{page}");
    }
}
