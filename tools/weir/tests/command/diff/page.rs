//! The page of a difference, in a browser: what it shows is what the text and the JSON say.

use std::path::Path;

use serde_json::{Value, json};
use weir_report::model::Report;

use crate::html::{
    HOSTILE, assert_asks_for_nothing_else, encoded, nothing, rows, shown, strings, units, visited,
    whole_of, with_stacks, with_time,
};
use crate::{refusal, sample, success, weir};

/// A directory with the reports of two sides.
struct Sides {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Sides {
    fn new(before: &[Report], after: &[Report]) -> Sides {
        let directory = tempfile::tempdir().expect("a directory");
        let mut arguments = Vec::new();
        for (side, reports) in [("before", before), ("after", after)] {
            if side == "after" {
                arguments.push("--after".to_owned());
            }
            for (index, report) in reports.iter().enumerate() {
                let mut report = report.clone();
                // Each is a recording of its own.
                for process in &mut report.processes {
                    process.started_unix_ns += index as u64;
                }
                let name = format!("{side}-{index}.json");
                let json = serde_json::to_vec(&report).expect("JSON");
                std::fs::write(directory.path().join(&name), json).expect("written");
                arguments.push(name);
            }
        }
        Sides {
            directory,
            arguments,
        }
    }

    fn output(&self, options: &[&str]) -> String {
        let given = self.arguments.iter().map(String::as_str);
        let arguments = ["diff"].into_iter().chain(options.iter().copied());
        let mut command = weir(arguments.chain(given));
        let output = command.current_dir(&self.directory).output();
        let output = output.expect("ended");
        success(&output)
    }

    fn page(&self) -> String {
        self.output(&["-f", "html"])
    }

    /// The page after everything in it was made.
    fn whole(&self) -> Value {
        whole_of(&self.page())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.output(&["-f", "json"])).expect("JSON")
    }
}

/// The changes of a section of the JSON.
fn changes<'d>(document: &'d Value, section: &str) -> Vec<&'d Value> {
    let changes = document["changes"].as_array().expect("a list").iter();
    changes
        .filter(|change| change["section"] == section)
        .collect()
}

/// The words of a line of the text page, without those that two columns apart are.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reports with differences in each section.
fn differing() -> Sides {
    let mut before = with_stacks();
    let mut after = with_stacks();
    let later = sample::later();
    after.functions = later.functions;
    after.files = later.files;
    after.heap = later.heap;
    after.duration_ns = later.duration_ns;
    after.processes[1].executable = "/usr/bin/python3.13".to_owned();
    for point in &mut after.processes[1].timeline.points {
        if let Some(usage) = &mut point.usage {
            usage.resident_bytes *= 2;
            usage.minor_faults += 1000;
            usage.major_faults += 10;
            usage.user_ns *= 3;
        }
    }
    let stacks = after.processes[0].stacks.as_mut().expect("stacks");
    // By `inner`, by `outer`, and what `main` reads.
    stacks.sites[0].requested_bytes = 100;
    stacks.sites[1].requested_bytes = 10;
    stacks.sites[2].moved_bytes = 500;
    // So that calls of functions that differ have all their numbers at call sites.
    for report in [&mut before, &mut after] {
        let sites = report.processes[0].stacks.as_ref().expect("stacks");
        for name in ["malloc", "read"] {
            let of = report.functions.get_mut(name).expect("called");
            let sites = || sites.sites.iter().filter(|site| site.function == name);
            of.calls = sites().map(|site| site.calls).sum();
            of.requested_bytes = sites().map(|site| site.requested_bytes).sum();
            of.moved_bytes = sites().map(|site| site.moved_bytes).sum();
        }
    }
    Sides::new(&[before], &[after])
}

#[test]
fn each_number_of_the_page_is_that_of_the_json_and_the_text() {
    let sides = differing();
    let document = sides.json();
    let page = sides.whole();
    let plain = sides.output(&["--top", "1000", "--width", "1000"]);
    let plain: Vec<String> = plain.lines().map(words).collect();

    let mut compared = 0;
    let tables = [
        "whole",
        "functions",
        "latency",
        "files",
        "sites",
        "programs",
    ];
    let sections = tables.map(|section| (section, changes(&document, section)));
    let times = document["times"].as_array().expect("times").iter();
    let usage = document["usage"].as_array().expect("usage").iter();
    let always = [("times", times.collect()), ("usage", usage.collect())];
    for (section, changes) in sections.into_iter().chain(always) {
        if changes.is_empty() {
            assert!(page["tables"][format!("table-{section}")].is_null());
            continue;
        }
        let rows = rows(&page, section);
        assert_eq!(rows.len(), changes.len(), "{section}");
        for (row, change) in rows.iter().zip(changes) {
            let [before, after] = ["before", "after"].map(|side| change[side]["value"].as_i64());
            assert_eq!(row["before"].as_i64(), before, "{section} {change}");
            assert_eq!(row["after"].as_i64(), after, "{section} {change}");
            assert_eq!(
                row["by"].as_i64(),
                Some(after.unwrap() - before.unwrap()),
                "{section} {change}"
            );
            let name = change["name"].as_str().unwrap_or("");
            let title = row["name"].as_str().expect("a name");
            assert!(title.contains(name), "{title}: {change}");
            compared += 1;
        }
        // What is drawn is a line of the text page.
        for row in shown(&page, section) {
            let text = |field: &str| row[field].as_str().expect("text");
            let fields = ["number", "before", "after", "by", "ratio"].map(text);
            let line = words(&fields.join(" "));
            assert!(
                plain.iter().any(|one| one.ends_with(&line)),
                "{section} {line}\n{plain:#?}"
            );
        }
    }
    let all = document["changes"].as_array().expect("a list").len();
    let always = ["times", "usage"].map(|list| document[list].as_array().expect("a list").len());
    assert_eq!(always[1], 4);
    assert_eq!(compared, all + always.iter().sum::<usize>());
    for section in ["functions", "files", "sites", "programs"] {
        assert!(!changes(&document, section).is_empty(), "{section}");
    }
    let outcome = plain.iter().find_map(|line| line.strip_prefix("differ "));
    let sections = strings(&page["sections"]);
    assert_eq!(
        sections[0],
        format!("Difference{}", outcome.expect("a line"))
    );
    let remarks = document["remarks"].as_array().expect("a list").iter();
    let notes = strings(&page["notes"]);
    for remark in remarks {
        assert!(notes.contains(&remark.as_str().unwrap()), "{remark}");
    }
}

#[test]
fn the_samples_of_the_manual_have_their_page() {
    let page = Sides::new(&[sample::report()], &[sample::later()]).whole();
    let sides = strings(&page["sides"]);
    assert_eq!(sides.len(), 2);
    for (side, name, duration) in [
        (0, "before-0.json", "12.3 s"),
        (1, "after-0.json", "14.9 s"),
    ] {
        for expected in [name, duration, "exited with status 0", "bash -c"] {
            assert!(
                sides[side].contains(expected),
                "{expected}: {}",
                sides[side]
            );
        }
    }
    assert_eq!(
        strings(&page["links"]),
        [
            "Difference",
            "Time and totals",
            "Functions",
            "Files and sockets",
            "Programs",
            "Over time",
            "To keep in mind"
        ]
    );
}

#[test]
fn the_flame_graph_has_both_sides() {
    let sides = differing();
    let page = sides.page();
    let pages = visited(
        &page,
        "",
        &json!([
            ["address", "#around=outer"],
            ["address", "#search=INNER"],
            ["address", "#sum=5"],
        ]),
    );
    let boxes = strings(&pages[0]["boxes"]);
    for expected in [
        "all: 100 B before, 110 B after: +10 B",
        "outer: 100 B before, 110 B after: +10 B",
        "inner: 70 B before, 100 B after: +30 B",
        "malloc: 70 B before, 100 B after: +30 B",
        "malloc: 30 B before, 10 B after: -20 B",
    ] {
        assert!(boxes.contains(&expected), "{expected}: {boxes:?}");
    }
    assert_eq!(boxes.len(), 6);
    // A call site of the JSON is the box of a function that a function calls.
    let document = sides.json();
    let requested: Vec<(i64, i64)> = changes(&document, "sites")
        .into_iter()
        .filter(|change| change["metric"] == "requested_bytes")
        .map(|change| ["before", "after"].map(|side| change[side]["value"].as_i64().unwrap()))
        .map(|[before, after]| (before, after))
        .collect();
    assert_eq!(requested, [(70, 100), (30, 10)]);

    let colours = &pages[0]["colours"];
    let colour = |name: &str| colours[name].as_str().expect("a colour").to_owned();
    let (more, less) = (
        "malloc: 70 B before, 100 B after: +30 B",
        "malloc: 30 B before, 10 B after: -20 B",
    );
    assert_ne!(colour(more), colour(less));
    assert_eq!(
        colour(more),
        colour("inner: 70 B before, 100 B after: +30 B")
    );

    let around: Vec<&str> = pages[1]["around"]
        .as_array()
        .expect("pictures")
        .iter()
        .flat_map(strings)
        .collect();
    assert!(
        around.contains(&"main: 100 B before, 110 B after: +10 B"),
        "{around:?}"
    );
    assert_eq!(pages[2]["found"], "70 B before, 100 B after: +30 B");
    let boxes = strings(&pages[3]["boxes"]);
    assert!(
        boxes.contains(&"read: 200 B before, 500 B after: +300 B"),
        "{boxes:?}"
    );
    let functions = rows(&pages[0], "stacks");
    let inner = functions
        .iter()
        .find(|row| row["name"] == "inner")
        .expect("a row");
    assert_eq!(
        (&inner["before"], &inner["after"], &inner["by"]),
        (&json!(70), &json!(100), &json!(30))
    );
}

#[test]
fn of_several_runs_the_flame_graph_has_the_mean() {
    let with = |bytes: u64| {
        let mut report = with_stacks();
        let stacks = report.processes[0].stacks.as_mut().expect("stacks");
        stacks.sites[0].requested_bytes = bytes;
        report
    };
    let sides = Sides::new(&[with(100), with(200)], &[with(400), with(500), with(600)]);
    let page = sides.whole();
    let boxes = strings(&page["boxes"]);
    assert!(
        boxes.contains(&"inner: 150 B before, 500 B after: +350 B"),
        "{boxes:?}"
    );
    let text = strings(&page["sides"]);
    assert!(
        text[1].contains("3 reports") && text[1].contains("after-2.json"),
        "{text:?}"
    );
}

#[test]
fn both_heaps_are_shown_from_the_start_of_their_run() {
    let before = with_time();
    let mut after = with_time();
    after.started_unix_ns += 86_400_000_000_000;
    for process in &mut after.processes {
        process.started_unix_ns += 86_400_000_000_000;
        for point in &mut process.timeline.points {
            point.live_bytes *= 2;
        }
    }
    let page = Sides::new(&[before], &[after]).page();
    let pages = visited(
        &page,
        "",
        &json!([
            ["hover", [0, 0.5]],
            ["address", "#range=2000000000-4000000000"],
            ["hover", [0, 0.5]],
            ["key", "Escape"],
        ]),
    );
    let charts = strings(&pages[0]["charts"]);
    assert!(
        charts[0].starts_with("Live heap of all processes"),
        "{charts:?}"
    );
    assert!(charts[1].starts_with("Resident size"), "{charts:?}");
    // At 5 of 10 s, the one process has 5000 bytes, and the other one, which began a second later, 4000.
    let at = |page: &Value| {
        strings(&page["hovered"])
            .iter()
            .take(3)
            .map(|&one| one.to_owned())
            .collect::<Vec<String>>()
    };
    let size = units::bytes;
    assert_eq!(
        at(&pages[1]),
        ["5.00 s".to_owned(), size(9000), size(18_000)]
    );
    assert_eq!(
        at(&pages[3]),
        ["3.00 s".to_owned(), size(5000), size(10_000)]
    );
    assert_eq!(pages[4]["address"], "");
}

#[test]
fn a_page_of_what_grew_has_nothing_else() {
    let sides = differing();
    let page = sides.page();
    let pages = visited(
        &page,
        "#direction=grew",
        &json!([
            ["address", "#direction=shrank&filter.functions=no+such"],
            ["address", "#direction=sideways"],
        ]),
    );
    let document = sides.json();
    let change =
        |change: &&Value| change["after"]["value"].as_i64() > change["before"]["value"].as_i64();
    let sites = changes(&document, "sites");
    let grew = sites.iter().filter(|one| change(one)).count();
    assert!(grew > 0 && grew < sites.len());
    assert_eq!(rows(&pages[0], "sites").len(), grew);
    assert_eq!(rows(&pages[1], "sites").len(), sites.len() - grew);
    assert_eq!(rows(&pages[1], "functions").len(), 0);
    assert_eq!(rows(&pages[2], "sites").len(), sites.len());
}

#[test]
fn reports_that_do_not_differ_are_a_page() {
    let page = Sides::new(&[sample::report()], &[sample::report()]).whole();
    assert_eq!(
        strings(&page["sections"])[0],
        "Differencenothing that was compared"
    );
    let page = Sides::new(&[nothing()], &[nothing()]).whole();
    assert_eq!(page["command"], "(no command)");
}

/// Names of the traced programs are text, whatever they are.
#[test]
fn names_cannot_command_the_page_of_a_difference() {
    let hostile = |number: u64| {
        let mut report = with_stacks();
        report.command = vec![HOSTILE.to_owned()];
        report.weir_version = HOSTILE.to_owned();
        report.files.listed[0].name = HOSTILE.to_owned();
        report.files.listed[0].reads += number;
        report.missed.notes = vec![format!("{HOSTILE}{number}")];
        let mut read = report.functions["read"].clone();
        read.calls += number;
        report.functions.insert(HOSTILE.to_owned(), read);
        for process in &mut report.processes {
            process.executable = HOSTILE.to_owned();
        }
        let stacks = report.processes[0].stacks.as_mut().expect("stacks");
        stacks.modules[0].path = HOSTILE.to_owned();
        stacks.modules[0].names[0].places[0].function = Some(HOSTILE.to_owned());
        stacks.sites[0].requested_bytes += number;
        report
    };
    let quiet = Sides::new(&[with_stacks()], &[with_stacks()]).whole();
    let page = Sides::new(&[hostile(0)], &[hostile(7)]).page();
    let around = format!("#around={}", encoded(HOSTILE));
    let pages = visited(&page, "", &json!([["address", around]]));
    for page in &pages {
        assert_eq!(page["pictures"], 0);
        assert_eq!(page["scripts"], quiet["scripts"]);
    }
    let shown_name = HOSTILE.replace('\u{202e}', "\\u{202e}");
    for table in ["functions", "files"] {
        let rows = shown(&pages[0], table).iter();
        let mut names = rows.map(|row| row["name"].as_str().expect("a name"));
        assert!(names.any(|name| name.contains(&shown_name)), "{table}");
    }
    let head = pages[0]["command"].as_str().expect("text");
    assert!(head.contains("\\u{202e}"), "{head}");
}

#[test]
fn a_page_of_a_difference_asks_for_nothing_else() {
    let page = Sides::new(&[sample::report()], &[sample::later()]).page();
    assert_asks_for_nothing_else(&page);
}

#[test]
fn each_format_goes_to_a_file_and_what_makes_no_sense_is_refused() {
    let sides = Sides::new(&[sample::report()], &[sample::later()]);
    let path = |name: &str| sides.directory.path().join(name);
    for format in ["text", "json", "html"] {
        let printed = sides.output(&["-f", format]);
        assert_eq!(sides.output(&["-f", format, "-o", "out"]), "");
        let written = std::fs::read_to_string(path("out")).expect("written");
        assert_eq!(written, printed, "{format}");
    }
    let page = |directory: &Path, options: &[&str]| {
        let files = ["before-0.json", "after-0.json"];
        let arguments = [&["diff"], options, &files].concat();
        let output = weir(arguments).current_dir(directory).output();
        refusal(&output.expect("ended"))
    };
    for (options, code, reason) in [
        (&["-f", "html", "--top", "3"][..], 2, "--top is for text"),
        (&["-f", "html", "--width", "80"], 2, "--width is for text"),
        (
            &["-f", "html", "-f", "json"],
            2,
            "cannot be used multiple times",
        ),
        (&["-f", "html", "-o", ""], 2, "a path must not be empty"),
        (
            &["-f", "html", "-o", "no/such/page.html"],
            125,
            "cannot write no/such/page.html",
        ),
    ] {
        let (exit_code, line) = page(sides.directory.path(), options);
        assert_eq!(exit_code, code, "{options:?}: {line}");
        assert!(line.contains(reason), "{options:?}: {line}");
    }
    std::fs::write(path("after-0.json"), "{}").expect("written");
    let (code, line) = page(sides.directory.path(), &["-f", "html", "-o", "page.html"]);
    assert_eq!(code, 125, "{line}");
    assert!(!path("page.html").exists());
}
