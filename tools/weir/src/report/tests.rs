use weir_report::model::{
    CoroutineUse, Coroutines, EndKind, FileUse, Files, Latency, Parts, Process, Spread, SpreadClass,
};

use super::*;
use crate::{sample, text};

fn shown(report: &Report, width: usize, sort: Sort, process: Option<u32>) -> String {
    let options = Options {
        sort,
        process,
        function: None,
        file: None,
        width,
        coloured: false,
    };
    rendered(report, &options).expect("a page")
}

#[test]
fn a_page_of_80_columns() {
    insta::assert_snapshot!(shown(&sample::report(), 80, Sort::Time, None));
}

#[test]
fn a_page_of_140_columns() {
    insta::assert_snapshot!(shown(&sample::report(), 140, Sort::Time, None));
}

#[test]
fn a_page_sorted_by_bytes() {
    insta::assert_snapshot!(shown(&sample::report(), 100, Sort::Bytes, None));
}

#[test]
fn a_page_of_one_process() {
    insta::assert_snapshot!(shown(&sample::report(), 100, Sort::Calls, Some(4720)));
}

#[test]
fn a_process_that_is_not_there_is_refused_with_those_that_are() {
    let report = sample::report();
    let options = Options {
        sort: Sort::Time,
        process: Some(1),
        function: None,
        file: None,
        width: 80,
        coloured: false,
    };
    let failure = rendered(&report, &options).expect_err("refused");
    assert_eq!(
        failure.in_one_line(),
        "the report has no process 1; it has 4711, 4713, 4720"
    );
    assert_eq!(failure.code, exit_code::USAGE);
}

#[test]
fn every_image_of_a_process_id_is_shown() {
    let mut report = sample::report();
    let mut next: Process = report.processes[0].clone();
    next.executable = "/usr/bin/make".to_owned();
    next.command = vec!["make".to_owned()];
    report.processes[0].end.how = EndKind::Exec;
    report.processes.push(next);
    let page = shown(&report, 100, Sort::Time, Some(4711));
    assert!(page.starts_with("bash  process 4711\n"), "{page}");
    assert!(page.contains("\nmake  process 4711\n"), "{page}");
    assert_eq!(page.matches("Not observed or not measured").count(), 2);
}

#[test]
fn no_line_is_wider_than_the_page() {
    let report = sample::report();
    for width in (40..200).step_by(3) {
        for process in [None, Some(4711), Some(4713), Some(4720)] {
            for line in shown(&report, width, Sort::Time, process).lines() {
                assert!(
                    text::width(line) <= width,
                    "{} > {width}: {line}",
                    text::width(line)
                );
            }
        }
    }
}

/// The lines of a section, without its heading.
fn section<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| !line.starts_with(heading));
    let lines: Vec<&str> = lines.skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(!lines.is_empty(), "no {heading} in {page}");
    lines
}

#[test]
fn files_beyond_those_shown_are_summed_up_and_not_lost() {
    let mut report = sample::report();
    let file = |number: u64| FileUse {
        kind: "file".to_owned(),
        name: format!("/data/{number}"),
        opens: 1,
        reads: 2,
        read_bytes: 1024,
        read_ns: 1_000 * (number + 1),
        ..FileUse::default()
    };
    report.files = Files {
        listed: (0..33).rev().map(file).collect(),
        others: FileUse {
            other_calls: 7,
            errors: 1,
            ..FileUse::default()
        },
        folded: 1,
        ..Files::default()
    };
    let page = shown(&report, 200, Sort::Time, None);
    let lines = section(&page, "Files and sockets");
    let rows: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains("/data/"))
        .collect();
    assert_eq!(rows.len(), 30);
    assert!(rows[0].contains("/data/32 "), "{page}");
    assert!(rows[29].contains("/data/3 "), "{page}");
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "  and 3 more, in the JSON: 3 opens, 6 calls, 3.00 KiB read, 6.00 µs",
            "  others (1 file or socket that is not listed, and descriptors of which nothing is known): 7 calls, 1 error"
        ]
    );
}

#[test]
fn a_long_path_keeps_the_name_of_its_file() {
    let report = sample::report();
    for width in [40, 60, 80, 120] {
        let page = shown(&report, width, Sort::Time, None);
        let lines = section(&page, "Files and sockets");
        assert!(
            lines.iter().any(|line| line.contains("/objects.db ")),
            "{page}"
        );
    }
}

#[test]
fn waits_and_the_levels_of_stdio_have_tables_of_their_own() {
    let page = shown(&sample::report(), 100, Sort::Time, None);
    let names = |heading: &str| section(&page, heading).join("\n");
    let tables: [(&str, &[&str]); 4] = [
        ("Functions  by", &["malloc", "write", "recv"]),
        ("Functions of stdio  that", &["fwrite", "fgets"]),
        (
            "System calls of stdio  when",
            &["_IO_file_read", "_IO_file_write"],
        ),
        (
            "Functions that wait  by",
            &["epoll_wait", "accept4", "connect"],
        ),
    ];
    for (heading, _) in tables {
        let table = names(heading);
        for (of, names) in tables {
            for name in names {
                let has = table.contains(&format!("  {name} "));
                assert_eq!(has, of == heading, "{name} in {heading}: {page}");
            }
        }
    }
}

#[test]
fn sections_are_only_where_there_is_something_to_show() {
    let page = shown(&sample::report(), 80, Sort::Time, Some(4720));
    for heading in [
        "\nLongest waits",
        "\nFunctions that wait",
        "\nFunctions of stdio",
    ] {
        assert!(!page.contains(heading), "{heading}: {page}");
    }
    let page = shown(&sample::report(), 80, Sort::Time, None);
    for heading in ["\nLongest waits", "\nTime ", "\nFiles and sockets"] {
        assert!(page.contains(heading), "{heading}: {page}");
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let report = sample::report();
    let options = Options {
        sort: Sort::Time,
        process: None,
        function: None,
        file: None,
        width: 100,
        coloured: true,
    };
    let coloured = rendered(&report, &options).expect("a page");
    assert!(coloured.contains("\x1b["));
    let mut plain = String::new();
    for (index, part) in coloured.split('\x1b').enumerate() {
        match part.split_once('m') {
            Some((_, text)) if index > 0 => plain.push_str(text),
            _ => plain.push_str(part),
        }
    }
    assert_eq!(plain, shown(&report, 100, Sort::Time, None));
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let mut report = sample::report();
    report.functions.clear();
    report.processes.clear();
    report.activities.clear();
    report.files = Files::default();
    report.slowest.clear();
    report.longest_waits.clear();
    report.command.clear();
    insta::assert_snapshot!(shown(&report, 80, Sort::Time, None));
}

/// A report is a file that anyone may have written: every byte changed must give a page or a
/// refusal, and never a control character on the terminal.
#[test]
fn forged_reports_neither_panic_nor_command_the_terminal() {
    let mut report = sample::report();
    report.processes.retain(|process| process.pid != 4713);
    let text = serde_json::to_string(&report).expect("JSON");
    let mut pages = 0;
    let extremes = [
        "18446744073709551615",
        "-9223372036854775808",
        "9223372036854775807",
        "0",
        "\"\\u001b[2J\\u202e\"",
    ];
    let ends: Vec<usize> = text
        .match_indices([',', '}', ']'])
        .map(|(end, _)| end)
        .collect();
    for (round, &end) in ends.iter().enumerate() {
        let Some(start) = text[..end].rfind([':', '[']).map(|start| start + 1) else {
            continue;
        };
        let forged = format!(
            "{}{}{}",
            &text[..start],
            extremes[round % extremes.len()],
            &text[end..]
        );
        let Ok(report) = read::from_slice(forged.as_bytes()) else {
            continue;
        };
        let page = shown(&report, 40 + round % 100, Sort::Bytes, None);
        assert!(
            !page.contains(|c: char| c.is_control() && c != '\n'),
            "{page}"
        );
        assert!(!page.contains('\u{202e}'), "{page}");
        pages += 1;
    }
    assert!(pages > 100, "{pages} forged reports were shown");
}

#[test]
fn sums_of_extremes_do_not_overflow() {
    let mut report = sample::report();
    for process in &mut report.processes {
        for function in process.functions.values_mut() {
            function.calls = u64::MAX;
            function.errors = u64::MAX;
            function.requested_bytes = u64::MAX;
            function.moved_bytes = u64::MAX;
            for count in function.errors_by_errno.values_mut() {
                *count = u64::MAX;
            }
            for class in &mut function.size_classes {
                (class.from_bytes, class.to_bytes, class.calls) = (u64::MAX, 0, u64::MAX);
            }
            if let Some(latency) = &mut function.latency {
                (latency.timed, latency.total_ns) = (1, u64::MAX);
            }
        }
        for activity in process.activities.values_mut() {
            (activity.calls, activity.total_ns) = (u64::MAX, u64::MAX);
        }
        let files = &mut process.files;
        for file in files.listed.iter_mut().chain([&mut files.others]) {
            (file.reads, file.writes, file.other_calls) = (u64::MAX, u64::MAX, u64::MAX);
            (file.read_ns, file.write_ns, file.other_ns) = (u64::MAX, u64::MAX, u64::MAX);
            (file.read_bytes, file.written_bytes) = (u64::MAX, u64::MAX);
            (file.sequential, file.random, file.opens) = (u64::MAX, u64::MAX, u64::MAX);
        }
        let most = files.listed.first().cloned().unwrap_or_default();
        files.listed.resize(100, most);
        files.folded = u64::MAX;
        process.started_unix_ns = 0;
        process.heap.live_bytes = i64::MIN;
        process.heap.peak_bytes = u64::MAX;
        for point in &mut process.timeline.points {
            (point.at_ns, point.live_bytes) = (u64::MAX, i64::MAX);
        }
    }
    for process in [None, Some(4713)] {
        for width in [40, 80, 140] {
            shown(&report, width, Sort::Time, process);
        }
    }
}

/// The sample, with calls in two parts and coroutines in it.
fn in_coroutines() -> Report {
    let mut report = sample::report();
    let latency = |p50_ns: u64, total_ns: u64| Latency {
        timed: 20,
        total_ns,
        mean_ns: total_ns / 20,
        p50_ns,
        p90_ns: 3 * p50_ns,
        p99_ns: 10 * p50_ns,
        p99_9_ns: 11 * p50_ns,
        max_ns: 12 * p50_ns,
        ..Latency::default()
    };
    let read = report.functions.get_mut("read").expect("a read");
    read.parts = Some(Box::new(Parts {
        calls: 20,
        waits: 15,
        wait: latency(2_000_000, 90_000_000),
        transfer: latency(1_500, 31_000),
    }));
    let spread = |from_ns: u64, total_ns: u64| Spread {
        calls: 20,
        total_ns,
        max_ns: 24_000_000,
        classes: vec![
            SpreadClass {
                from_ns,
                to_ns: 2 * from_ns - 1,
                calls: 19,
            },
            SpreadClass {
                from_ns: 16_000_000,
                to_ns: 32_000_000 - 1,
                calls: 1,
            },
        ],
    };
    let file = &mut report.files.listed[0];
    file.wait = Some(spread(1 << 20, 90_000_000));
    file.transfer = Some(spread(1 << 10, 31_000));
    let coroutine = |number: u64, name: &str| CoroutineUse {
        pid: 4711,
        id: format!("0x55d0c0de{number:04x}"),
        name: name.to_owned(),
        calls: 100 - number,
        moved_bytes: 512 * number,
        waits: number,
        wait_ns: number * 1_000_000,
        allocations: 3,
        live_bytes: 4096,
        live_blocks: 1,
        ended: false,
    };
    report.coroutines = Some(Coroutines {
        runtime: "example".to_owned(),
        listed: (0..20)
            .map(|number| coroutine(number, if number == 3 { "" } else { "client" }))
            .collect(),
        others: coroutine(50, ""),
        folded: 12,
        by_runtime: Some(coroutine(40, "")),
        blocked_calls: 1,
    });
    report
}

#[test]
fn a_page_of_coroutines() {
    let page = shown(&in_coroutines(), 110, Sort::Time, None);
    let sections: Vec<&str> = page
        .split("\n\n")
        .filter(|section| section.starts_with("Wait") || section.starts_with("Coroutines"))
        .collect();
    assert_eq!(sections.len(), 3, "{page}");
    insta::assert_snapshot!(sections.join("\n\n"));
}

#[test]
fn no_line_about_coroutines_is_wider_than_the_page() {
    for width in (40..200).step_by(3) {
        for line in shown(&in_coroutines(), width, Sort::Time, None).lines() {
            assert!(text::width(line) <= width, "{width}: {line}");
        }
    }
}
