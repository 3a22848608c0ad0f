//! The page for browsers, in a browser: what it shows is what the report has.

#[path = "html/browser.rs"]
mod browser;
#[path = "html/choosing.rs"]
mod choosing;
#[path = "html/looks.rs"]
mod looks;
#[path = "html/over_time.rs"]
mod over_time;
#[path = "html/processes.rs"]
mod processes;
#[path = "../../src/units.rs"]
#[allow(dead_code, reason = "the command uses the rest")]
pub mod units;
#[path = "html/uses.rs"]
mod uses;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weir_record::functions::{Function as Known, Role};
use weir_report::model::{
    CodeName, CodePlace, Frame, Function, Module, Report, Site, SiteBlocks, Stacks,
};

use super::{fed, refusal, sample, success, text, weir};

pub use over_time::with_time;

/// The page of a report, as the command writes it.
fn page(report: &Report) -> String {
    let json = serde_json::to_vec(report).expect("JSON");
    let output = fed(weir(["html", "-"]), &json);
    success(&output)
}

/// Opens a page in a browser, has everything in it made, and takes steps. Says what is seen at first and after each step; see
/// `html/steps.js`. The step `press` is a key.
pub fn visited(page: &str, hash: &str, steps: &Value) -> Vec<Value> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("page.html");
    std::fs::write(&file, page).expect("written");
    let pages: Vec<Value> = browser::visit(include_str!("html/failures.js"), |browser| {
        browser.go(&format!("file://{}{hash}", file.display()));
        browser.value(include_str!("html/steps.js"));
        let mut pages = vec![browser.value("step('whole')")];
        let steps = steps.as_array().expect("a list").iter();
        pages.extend(steps.map(|step| match step[0].as_str() {
            Some("press") => {
                browser.press(step[1].as_str().expect("a key"));
                browser.value("step('nothing')")
            }
            _ => browser.value(&format!("step({}, {})", step[0], step[1])),
        }));
        pages
    });
    for page in &pages {
        assert_eq!(page["failures"], json!([]), "{}", page["address"]);
    }
    pages
}

/// What is seen of a page once everything in it was made.
pub fn whole_of(page: &str) -> Value {
    visited(page, "", &json!([])).remove(0)
}

/// The same of a report's page.
fn whole(report: &Report) -> Value {
    whole_of(&page(report))
}

pub fn rows<'p>(page: &'p Value, table: &str) -> &'p Vec<Value> {
    let rows = page["tables"][format!("table-{table}")]["rows"].as_array();
    rows.unwrap_or_else(|| panic!("no table {table}: {page:#}"))
}

pub fn shown<'p>(page: &'p Value, table: &str) -> &'p Vec<Value> {
    page["tables"][format!("table-{table}")]["shown"]
        .as_array()
        .expect("rows")
}

fn by<'v>(rows: &'v [Value], key: &str) -> BTreeMap<String, &'v Value> {
    rows.iter()
        .map(|row| {
            (
                row[key]
                    .as_str()
                    .map_or_else(|| row[key].to_string(), str::to_owned),
                row,
            )
        })
        .collect()
}

pub fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one.as_str().expect("text"))
        .collect()
}

/// A report with call sites: `main` allocates 70 bytes by `outer` and `inner`, 30 by `outer` alone, and reads.
pub fn with_stacks() -> Report {
    let mut report = sample::report();
    let offsets = [0x10, 0x20, 0x30];
    let names = ["main", "outer", "inner"];
    let places = names.iter().zip(offsets).map(|(name, offset)| CodeName {
        offset,
        places: vec![CodePlace {
            function: Some((*name).to_owned()),
            file: Some(format!("/src/{name}.c")),
            line: Some(offset as u32),
        }],
    });
    let frame = |parent, offset| Frame {
        parent,
        module: Some(0),
        offset,
    };
    let site = |frame, function: &str, calls, requested_bytes| Site {
        frame: Some(frame),
        function: function.to_owned(),
        calls,
        requested_bytes,
        ..Site::default()
    };
    let mut kept = site(2, "malloc", 7, 70);
    kept.blocks = Some(SiteBlocks {
        live: 2,
        live_bytes: 20,
        live_bytes_at_peak: 40,
        temporary: 1,
    });
    let mut read = site(0, "read", 3, 300);
    read.moved_bytes = 200;
    read.time_ns = 5_000_000;
    report.processes[0].stacks = Some(Stacks {
        modules: vec![Module {
            path: "/usr/bin/program".to_owned(),
            names: places.collect(),
            ..Module::default()
        }],
        frames: vec![
            frame(None, 0x10),
            frame(Some(0), 0x20),
            frame(Some(1), 0x30),
        ],
        sites: vec![kept, site(1, "malloc", 1, 30), read],
        ..Stacks::default()
    });
    report
}

#[test]
fn each_number_of_the_tables_is_that_of_the_report() {
    let report = sample::report();
    let page = whole(&report);

    let functions: BTreeMap<&String, &Function> = report
        .functions
        .iter()
        .filter(|(_, of)| of.calls > 0)
        .collect();
    let rows_by_name = by(rows(&page, "functions"), "name");
    assert_eq!(rows_by_name.len(), functions.len());
    for (name, of) in &functions {
        let row = rows_by_name[*name];
        let latency = of.latency.as_deref();
        assert_eq!(row["family"], json!(of.family), "{name}");
        for (field, number) in [
            ("calls", Some(of.calls)),
            ("errors", Some(of.errors)),
            ("bytes", Some(of.requested_bytes)),
            ("moved", Some(of.moved_bytes)),
            ("p50", latency.map(|of| of.p50_ns)),
            ("p99", latency.map(|of| of.p99_ns)),
            ("max", latency.map(|of| of.max_ns)),
        ] {
            assert_eq!(row[field].as_u64(), number, "{name} {field}");
        }
    }
    // What is drawn, as the text pages write it.
    let drawn = by(shown(&page, "functions"), "name");
    assert!(drawn.len() > 10, "{drawn:?}");
    for (name, row) in drawn {
        let of = &functions[&name];
        assert_eq!(row["calls"], json!(units::count(of.calls)), "{name}");
        assert_eq!(row["moved"], json!(units::bytes(of.moved_bytes)), "{name}");
        let p99 = of.latency.as_deref().map(|of| units::time(of.p99_ns));
        assert_eq!(
            row["p99"],
            json!(p99.unwrap_or(units::NONE.to_owned())),
            "{name}"
        );
    }

    let files = rows(&page, "files");
    assert_eq!(files.len(), report.files.listed.len() + 1);
    let sum = |field: &str| {
        files
            .iter()
            .map(|row| row[field].as_u64().expect("a number"))
            .sum::<u64>()
    };
    let all = report.files.listed.iter().chain([&report.files.others]);
    let expected = all.fold([0; 6], |[opens, calls, errors, read, written, ns], of| {
        [
            opens + of.opens,
            calls + of.reads + of.writes + of.other_calls,
            errors + of.errors,
            read + of.read_bytes,
            written + of.written_bytes,
            ns + of.read_ns + of.write_ns + of.other_ns,
        ]
    });
    assert_eq!(
        ["opens", "calls", "errors", "read", "written", "time"].map(sum),
        expected
    );

    let errors = rows(&page, "errors");
    let sum = errors
        .iter()
        .map(|row| row["calls"].as_u64().expect("a number"))
        .sum::<u64>();
    assert_eq!(
        sum,
        report.functions.values().map(|of| of.errors).sum::<u64>()
    );

    let processes = by(rows(&page, "processes"), "pid");
    assert_eq!(processes.len(), report.processes.len());
    for of in &report.processes {
        let row = processes[&of.pid.to_string()];
        let calls: u64 = of.functions.values().map(|of| of.calls).sum();
        assert_eq!(row["calls"], json!(calls));
        assert_eq!(row["took"], json!(of.duration_ns));
        assert_eq!(
            row["start"],
            json!(of.started_unix_ns - report.started_unix_ns)
        );
        let live = of.heap.not_known.is_none().then_some(of.heap.live_bytes);
        assert_eq!(row["live"].as_i64(), live);
    }
    let threads: usize = report.processes.iter().map(|of| of.threads.len()).sum();
    assert_eq!(rows(&page, "threads").len(), threads);
    let slowest = report
        .processes
        .iter()
        .map(|of| of.slowest.len() + of.longest_waits.len());
    assert_eq!(rows(&page, "slowest").len(), slowest.sum::<usize>());
}

#[test]
fn the_head_of_the_page_says_what_the_text_says() {
    let report = sample::report();
    let page = whole(&report);
    let json = serde_json::to_vec(&report).expect("JSON");
    let output = fed(weir(["report", "--width", "1000", "-"]), &json);
    let plain = text(&output.stdout);
    let findings = strings(&page["findings"]);
    assert!(!findings.is_empty());
    for finding in findings {
        // The severity, the sentence, the remedy.
        let (_, sentence) = finding
            .split_once("random reads: ")
            .expect("the finding of the sample");
        let (sentence, remedy) = sentence.split_once('→').expect("a remedy");
        assert!(plain.contains(sentence), "{sentence}\n{plain}");
        assert!(plain.contains(remedy.trim()), "{remedy}");
    }
    let cards = page["cards"].as_array().expect("cards");
    let card = |name: &str| {
        let card = cards.iter().find(|card| card[0] == name);
        card.unwrap_or_else(|| panic!("{name} {cards:?}")).clone()
    };
    let calls: u64 = report.functions.values().map(|of| of.calls).sum();
    assert_eq!(card("calls")[1], json!(units::count(calls)));
    assert_eq!(
        card("heap peak")[1],
        json!(units::bytes(report.heap.peak_bytes))
    );
    assert_eq!(
        card("live at the end")[1],
        json!(units::signed_bytes(
            report.heap.live_bytes - report.heap.inherited_bytes
        ))
    );
    assert_eq!(
        card("waits")[1],
        json!(units::time(report.activities["wait"].total_ns))
    );
    let read = report.functions.iter().filter(|(name, _)| {
        let row = Known::from_name(name).expect("known").row();
        row.family.is_io() && row.role == Role::Read
    });
    let read: u64 = read.map(|(_, of)| of.moved_bytes).sum();
    assert_ne!(read, 0);
    assert_eq!(card("read")[1], json!(units::bytes(read)));
    let missed = strings(&page["notes"]).join("\n");
    assert!(
        missed.contains("not in percentiles: 1,234 calls"),
        "{missed}"
    );
}

#[test]
fn call_sites_add_up_to_what_the_report_has() {
    let page = whole(&with_stacks());
    let sums = strings(&page["sums"]);
    assert_eq!(
        sums,
        [
            "Allocations by requested bytes: 100 B",
            "Allocations by calls: 8",
            "Allocations by live bytes at the peak: 40 B",
            "Allocations by live bytes at the end: 20 B",
            "Allocations by temporary blocks: 1",
            "I/O by time: 5.00 ms",
            "I/O by moved bytes: 200 B",
            "I/O by calls: 3",
        ]
    );
    let boxes = strings(&page["boxes"]);
    for expected in [
        "all: 100 B (100 %)",
        "main: 100 B (100 %)",
        "outer: 100 B (100 %)",
        "inner: 70 B (70.0 %)",
        "malloc: 70 B (70.0 %)",
        "malloc: 30 B (30.0 %)",
    ] {
        assert!(boxes.contains(&expected), "{expected}: {boxes:?}");
    }
    assert_eq!(boxes.len(), 6);
    let functions = by(rows(&page, "stacks"), "name");
    for (name, all, own) in [("main", 100, 0), ("outer", 100, 30), ("inner", 70, 70)] {
        assert_eq!(functions[name]["all"], json!(all), "{name}");
        assert_eq!(functions[name]["self"], json!(own), "{name}");
    }
    let sites = by(rows(&page, "sites"), "name");
    assert_eq!(sites.len(), 2);
    assert_eq!(sites["inner"]["place"], "/src/inner.c:48");
    assert_eq!(sites["inner"]["bytes"], 70);
    assert_eq!(sites["inner"]["live"], 20);
    assert_eq!(sites["outer"]["calls"], 1);
}

#[test]
fn a_function_has_its_callers_and_callees_and_stacks_can_be_searched() {
    let page = page(&with_stacks());
    let pages = visited(
        &page,
        "",
        &json!([
            ["address", "#around=outer"],
            ["address", "#search=INNER"],
            ["address", "#sum=6"]
        ]),
    );
    let [callers, callees] = pages[1]["around"].as_array().expect("pictures").as_slice() else {
        panic!("{:?}", pages[1]["around"]);
    };
    let sorted = |of: &Value| {
        let mut boxes: Vec<String> = strings(of).iter().map(|&one| one.to_owned()).collect();
        boxes.sort();
        boxes
    };
    assert_eq!(
        sorted(callers),
        ["main: 100 B (100 %)", "outer: 100 B (100 %)"]
    );
    assert_eq!(
        sorted(callees),
        [
            "inner: 70 B (70.0 %)",
            "malloc: 30 B (30.0 %)",
            "malloc: 70 B (70.0 %)",
            "outer: 100 B (100 %)"
        ]
    );
    assert_eq!(pages[2]["found"], "70 B (70.0 %)");
    assert_eq!(
        pages[2]["around"],
        json!([]),
        "the address says what is looked at"
    );
    let boxes = strings(&pages[3]["boxes"]);
    assert_eq!(
        boxes,
        [
            "all: 200 B (100 %)",
            "main: 200 B (100 %)",
            "read: 200 B (100 %)"
        ]
    );
    assert_eq!(pages[3]["found"], "");
}

#[test]
fn a_link_shows_what_was_looked_at() {
    let report = sample::report();
    let page = page(&report);
    let hash = "#function=read&filter.files=objects&theme=dark&range=9-3&process=99&sum=x";
    let pages = visited(
        &page,
        hash,
        &json!([
            ["key", "Escape"],
            ["filter", ["files", "no such"]],
            ["key", "?"]
        ]),
    );
    let first = &pages[0];
    let title = first["openedTitle"].as_str();
    assert!(title.is_some_and(|title| title.starts_with("read")));
    let facts = strings(&first["opened"]);
    let read = &report.functions["read"];
    let latency = read.latency.as_deref().expect("timed");
    for fact in [
        format!("calls {}", units::count(read.calls)),
        format!("moved {}", units::bytes(read.moved_bytes)),
        format!("p99.9 {}", units::time(latency.p99_9_ns)),
    ] {
        assert!(facts.contains(&fact.as_str()), "{fact} {facts:?}");
    }
    let sizes = first["sizes"].as_array().expect("a list");
    assert!(sizes.len() >= read.size_classes.len());
    assert_eq!(rows(first, "files").len(), 1);
    assert_eq!(first["theme"], "dark");
    // What cannot be is left out.
    assert!(
        first["chosen"]
            .as_str()
            .is_some_and(|text| text.starts_with("In all"))
    );
    assert_eq!(pages[1]["openedTitle"], "");
    assert_eq!(rows(&pages[2], "files").len(), 0);
    assert!(
        pages[2]["address"]
            .as_str()
            .is_some_and(|address| address.contains("filter.files=no+such"))
    );
    assert_eq!(pages[3]["isHelpOpen"], true);
}

/// A name that would command a page, or change how it looks.
pub const HOSTILE: &str =
    "</script><img src=x onerror=\"failures.push('ran')\">\u{202e}'\"&amp;{{data}}";

/// Names of the traced program are text, whatever they are.
#[test]
fn names_cannot_command_the_page() {
    let mut report = with_stacks();
    let quiet = whole(&report);
    report.command = vec![HOSTILE.to_owned()];
    report.files.listed[0].name = HOSTILE.to_owned();
    report.missed.notes = vec![HOSTILE.to_owned()];
    let read = report.functions["read"].clone();
    report.functions.insert(
        HOSTILE.to_owned(),
        Function {
            family: HOSTILE.to_owned(),
            ..read
        },
    );
    for process in &mut report.processes {
        process.executable = HOSTILE.to_owned();
        process.command = vec![HOSTILE.to_owned()];
        process
            .threads
            .iter_mut()
            .for_each(|thread| thread.name = HOSTILE.to_owned());
        process
            .slowest
            .iter_mut()
            .for_each(|call| call.function = HOSTILE.to_owned());
    }
    let stacks = report.processes[0].stacks.as_mut().expect("stacks");
    stacks.modules[0].path = HOSTILE.to_owned();
    stacks.modules[0].names[0].places[0].function = Some(HOSTILE.to_owned());
    stacks.modules[0].names[0].places[0].file = Some(HOSTILE.to_owned());
    let page = page(&report);
    let pages = visited(
        &page,
        "",
        &json!([[
            "address",
            format!("#function={}&around={}", encoded(HOSTILE), encoded(HOSTILE))
        ],]),
    );
    for page in &pages {
        assert_eq!(page["pictures"], 0);
        assert_eq!(page["scripts"], quiet["scripts"]);
    }
    let shown_name = HOSTILE.replace('\u{202e}', "\\u{202e}");
    assert!(
        pages[0]["command"]
            .as_str()
            .is_some_and(|text| text.contains("\\u{202e}"))
    );
    let files = shown(&pages[0], "files");
    assert!(
        files.iter().any(|row| row["name"] == json!(shown_name)),
        "{files:?}"
    );
    assert!(
        strings(&pages[0]["boxes"])
            .iter()
            .any(|one| one.starts_with(&shown_name))
    );
    assert!(
        pages[1]["openedTitle"]
            .as_str()
            .is_some_and(|title| title.starts_with("</script>"))
    );
}

/// As a part of an address.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A report of nothing.
pub fn nothing() -> Report {
    let mut report = sample::report();
    report.command.clear();
    report.processes.clear();
    report.functions.clear();
    report.activities.clear();
    report.files = Default::default();
    report.slowest.clear();
    report.longest_waits.clear();
    report.duration_ns = 0;
    report
}

#[test]
fn a_report_of_nothing_is_a_page() {
    let page = whole(&nothing());
    assert_eq!(page["command"], "(no command)");
    assert_eq!(strings(&page["links"]).first(), Some(&"Findings"));
}

/// A page has all that it needs, and may ask no address for more.
pub fn assert_asks_for_nothing_else(page: &str) {
    for beginning in [
        "<link rel=\"stylesheet",
        "<script src",
        "@import",
        "url(http",
        "sourceMappingURL",
    ] {
        assert!(!page.contains(beginning), "{beginning}");
    }
    // All that was to be filled in has been. The libraries have braces, too.
    let (head, _) = page.split_once("<script nonce").expect("scripts");
    assert!(!head.contains("{{"), "{head}");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_page_asks_for_nothing_else() {
    assert_asks_for_nothing_else(&page(&sample::report()));
}

#[test]
fn a_file_that_is_no_report_is_refused_and_leaves_no_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| {
        directory
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    };
    std::fs::write(path("a.json"), "{}").expect("written");
    let output = weir(["html", &path("a.json"), "-o", &path("page.html")]).output();
    let (code, message) = refusal(&output.expect("ended"));
    assert_eq!(code, 125);
    assert!(message.starts_with("cannot read "), "{message}");
    assert!(!Path::new(&path("page.html")).exists());
}
