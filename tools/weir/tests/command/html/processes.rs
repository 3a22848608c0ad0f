//! The page of one process: each number is the process's own, as the JSON has it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_record::functions::{Function as Known, Role};
use weir_report::model::{EndCount, Folded, InFlight, Process, Report};

use super::super::run::Place;
use super::super::{fed, sample, text, weir};
use super::{by, page, rows, strings, units, visited, with_stacks, with_time};

/// Programs of several kinds, with more processes than a report keeps one by one.
const TREE: &str = "for i in $(seq 120); do /bin/true; done
dd if=/dev/zero of=out bs=64 count=3000 status=none
head -c 90000 out | cat > copy
ls /nosuchfile 2>/dev/null
sleep 0.2";

fn real_tree() -> Report {
    let place = Place::new();
    let options = ["--time", "all", "--stacks", "all"];
    let output = place.run(&options, &["sh", "-c", TREE]).output();
    assert_eq!(output.expect("ended").status.code(), Some(0));
    place.report()
}

pub fn card<'p>(page: &'p Value, name: &str) -> &'p str {
    let cards = page["cards"].as_array().expect("cards");
    let card = cards.iter().find(|card| card[0] == name);
    card.unwrap_or_else(|| panic!("{name}: {cards:?}"))[1]
        .as_str()
        .expect("text")
}

/// The bytes that functions of I/O moved in one direction.
fn moved(process: &Process, role: Role) -> u64 {
    let of_role = process.functions.iter().filter(|(name, _)| {
        let row = Known::from_name(name).expect("known").row();
        row.family.is_io() && row.role == role
    });
    of_role.map(|(_, of)| of.moved_bytes).sum()
}

pub fn assert_cards(page: &Value, process: &Process) {
    let functions = || process.functions.values();
    let is_known = process.heap.not_known.is_none();
    for (name, expected) in [
        (
            "calls",
            units::count(functions().map(|of| of.calls).sum::<u64>()),
        ),
        ("read", units::bytes(moved(process, Role::Read))),
        ("written", units::bytes(moved(process, Role::Write))),
        (
            "waits",
            units::time(process.activities.get("wait").map_or(0, |of| of.total_ns)),
        ),
        (
            "heap peak",
            match is_known {
                true => units::bytes(process.heap.peak_bytes),
                false => "not known".to_owned(),
            },
        ),
        (
            "live at the end",
            match is_known {
                true => units::signed_bytes(process.heap.live_bytes - process.heap.inherited_bytes),
                false => "not known".to_owned(),
            },
        ),
    ] {
        assert_eq!(card(page, name), expected, "{name} of {}", process.pid);
    }
}

fn assert_functions(page: &Value, process: &Process) {
    let pid = process.pid;
    let functions = by(rows(page, "functions"), "name");
    let called = process.functions.iter().filter(|(_, of)| of.calls > 0);
    let called: BTreeMap<_, _> = called.collect();
    assert_eq!(functions.len(), called.len(), "{pid}");
    for (name, of) in called {
        let row = functions[name];
        let latency = of.latency.as_deref();
        for (field, number) in [
            ("calls", Some(of.calls)),
            ("errors", Some(of.errors)),
            ("bytes", Some(of.requested_bytes)),
            ("moved", Some(of.moved_bytes)),
            ("p50", latency.map(|of| of.p50_ns)),
            ("p99", latency.map(|of| of.p99_ns)),
            ("max", latency.map(|of| of.max_ns)),
        ] {
            assert_eq!(row[field].as_u64(), number, "{pid} {name} {field}");
        }
        // Where each call was timed, and with an estimate.
        let exact = latency
            .filter(|of_all| of_all.timed == of.calls)
            .map(|of| of.total_ns);
        let total = exact.or(of.estimated.map(|of| of.total_ns));
        if total.is_some() {
            assert_eq!(row["total"].as_u64(), total, "{pid} {name}");
        }
    }
    let errors = rows(page, "errors").iter();
    let errors: u64 = errors
        .map(|row| row["calls"].as_u64().expect("a count"))
        .sum();
    let expected: u64 = process.functions.values().map(|of| of.errors).sum();
    assert_eq!(errors, expected, "{pid}");
}

fn assert_lists(page: &Value, process: &Process) {
    let pid = process.pid;
    let sum = |table: &str, field: &str| -> u64 {
        let numbers = rows(page, table).iter().map(|row| row[field].as_u64());
        numbers.map(|number| number.expect("a number")).sum()
    };
    let files = { process.files.listed.iter() }.chain([&process.files.others]);
    let expected = files.fold([0; 5], |[opens, calls, read, written, ns], of| {
        [
            opens + of.opens,
            calls + of.reads + of.writes + of.other_calls,
            read + of.read_bytes,
            written + of.written_bytes,
            ns + of.read_ns + of.write_ns + of.other_ns,
        ]
    });
    let fields = ["opens", "calls", "read", "written", "time"];
    assert_eq!(fields.map(|field| sum("files", field)), expected, "{pid}");

    let threads = rows(page, "threads");
    assert_eq!(threads.len(), process.threads.len(), "{pid}");
    for thread in &process.threads {
        let calls: u64 = thread.functions.values().map(|of| of.calls).sum();
        let is_it = |row: &&Value| row["tid"] == json!(thread.tid) && row["calls"] == json!(calls);
        assert!(
            threads.iter().any(|row| is_it(&row)),
            "{pid} {}",
            thread.tid
        );
    }
    let calls = || process.slowest.iter().chain(&process.longest_waits);
    assert_eq!(rows(page, "slowest").len(), calls().count(), "{pid}");
    let took: u64 = calls().map(|call| call.took_ns).sum();
    assert_eq!(sum("slowest", "took"), took, "{pid}");
}

fn assert_over_time(page: &Value, process: &Process) {
    let pid = process.pid;
    let chosen = page["chosen"].as_str().expect("text");
    if let [_, .., last] = process.timeline.points.as_slice() {
        let numbers = format!(
            "allocation calls, with frees {}requested {}I/O calls {}read {}written {}",
            units::count(last.alloc_calls),
            units::bytes(last.alloc_bytes),
            units::count(last.io_calls),
            units::bytes(last.read_bytes),
            units::bytes(last.written_bytes)
        );
        assert!(chosen.contains(&numbers), "{pid}: {numbers}: {chosen}");
    }
    let grids = process.latency_over_time.iter();
    let mut timed: Vec<u64> = grids
        .flat_map(|grid| grid.activities.values())
        .map(|cells| cells.iter().map(|cell| cell.2).sum())
        .filter(|&calls| calls > 0)
        .collect();
    timed.sort_unstable();
    let heat = strings(&page["heat"]);
    let counts = heat
        .iter()
        .filter_map(|text| text.split_once(" timed call"));
    let mut counts: Vec<u64> = counts
        .map(|(count, _)| count.replace(',', "").parse().expect("a count"))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, timed, "{pid}");
}

/// The sites of each function family that allocates, and of those that do I/O.
fn assert_sites(page: &Value, process: &Process) {
    let pid = process.pid;
    let sites = process.stacks.iter().flat_map(|stacks| &stacks.sites);
    let allocates = |function: &str| {
        let row = Known::from_name(function).expect("known").row();
        row.family.name() == "alloc"
    };
    let sites: Vec<_> = sites.filter(|site| allocates(&site.function)).collect();
    let calls: u64 = sites.iter().map(|site| site.calls).sum();
    let bytes: u64 = sites.iter().map(|site| site.requested_bytes).sum();
    let sums = strings(&page["sums"]);
    for expected in [
        format!("Allocations by requested bytes: {}", units::bytes(bytes)),
        format!("Allocations by calls: {}", units::count(calls)),
    ] {
        assert!(
            sums.contains(&expected.as_str()),
            "{pid} {expected} {sums:?}"
        );
    }
    let places = rows(page, "sites").iter();
    let of_places = places.map(|row| row["bytes"].as_u64().expect("a number"));
    assert_eq!(of_places.sum::<u64>(), bytes, "{pid}");
    let boxes = strings(&page["boxes"]);
    let whole = format!("all: {} (100 %)", units::bytes(bytes));
    assert_eq!(
        boxes.contains(&whole.as_str()),
        bytes > 0,
        "{pid} {boxes:?}"
    );
}

fn assert_is_of(page: &Value, process: &Process) {
    assert_cards(page, process);
    assert_functions(page, process);
    assert_lists(page, process);
    assert_over_time(page, process);
    assert_sites(page, process);
}

#[test]
fn each_number_of_a_process_is_that_of_the_report() {
    let report = real_tree();
    assert!(report.folded_processes > 0, "some share an entry");
    // One of each program, and each entry that several share.
    let mut programs: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for (index, process) in report.processes.iter().enumerate() {
        let key = (process.executable.as_str(), process.folded.is_some());
        programs.entry(key).or_insert(index);
    }
    assert!(programs.len() > 5, "{programs:?}");
    let chosen: Vec<usize> = programs.into_values().collect();
    let busiest = |process: &Process| {
        let timed = process.functions.iter().filter_map(|(name, of)| {
            let latency = of.latency.as_ref()?;
            Some((latency.timed - latency.dropped, name.clone()))
        });
        timed.max()
    };
    let steps = chosen.iter().map(|&index| {
        let function = busiest(&report.processes[index]).map(|(_, name)| name);
        let function = function.unwrap_or_default();
        json!(["address", format!("#process={index}&function={function}")])
    });
    let pages = visited(&page(&report), "", &steps.collect());
    let mut histograms = 0;
    for (&index, page) in chosen.iter().zip(&pages[1..]) {
        let process = &report.processes[index];
        assert_is_of(page, process);
        if let Some((calls, function)) = busiest(process) {
            let histogram = page["histogram"].as_str().expect("text");
            let expected = format!("Latency of {} timed call", units::count(calls));
            assert!(histogram.contains(&expected), "{function}: {histogram}");
            histograms += 1;
        }
        let bar = page["subject"].as_str().expect("a bar");
        assert!(bar.contains("alone"), "{bar}");
        assert_eq!(rows(page, "processes").len(), report.processes.len());
    }
    assert!(histograms > 4);
}

/// Two processes with numbers over time and call sites, and an entry for five.
fn three_entries() -> Report {
    let mut report = with_time();
    let stacks = with_stacks().processes[0].stacks.clone();
    report.processes[1].stacks = stacks.clone();
    report.processes[1].in_flight = vec![InFlight {
        tid: 77,
        function: "read".to_owned(),
        fd: Some(4),
        kind: Some("pipe".to_owned()),
        file: None,
        at_ns: Some(5),
        age_ns: Some(1_500_000),
        looks: None,
        frame: Some(1),
    }];
    let mut shared = report.processes[1].clone();
    shared.pid += 1000;
    shared.in_flight.clear();
    shared.folded = Some(Box::new(Folded {
        processes: 5,
        ends: vec![EndCount {
            end: shared.end.clone(),
            processes: 5,
        }],
        notes: Vec::new(),
    }));
    for point in &mut shared.timeline.points {
        point.usage = None;
        point.alloc_calls *= 5;
    }
    for function in shared.functions.values_mut() {
        function.calls *= 5;
    }
    shared.missed.untimed_calls = 4321;
    report.processes.push(shared);
    report.folded_processes = 5;
    report.missed.untimed_calls = 99_999;
    report
}

#[test]
fn an_entry_of_many_and_calls_in_flight_are_looked_at_alone() {
    let report = three_entries();
    let page = page(&report);
    let steps = json!([
        ["address", "#process=0"],
        ["address", "#process=1"],
        ["address", "#process=2"],
        ["address", "#process=2&function=nosuch"],
        ["address", "#"],
    ]);
    let pages = visited(&page, "", &steps);
    let flying = |page: &Value| rows(page, "in-flight").len();
    let counts: Vec<usize> = pages.iter().map(flying).collect();
    assert_eq!(counts, [1, 0, 1, 0, 0, 1]);
    assert_eq!(
        rows(&pages[2], "in-flight")[0]["caller"],
        "outer (outer.c:32)"
    );
    for (index, process) in report.processes.iter().enumerate().skip(1) {
        assert_over_time(&pages[index + 1], process);
        assert_functions(&pages[index + 1], process);
    }
    let notes = |page: usize| strings(&pages[page]["notes"]).join("\n");
    assert!(notes(0).contains("99,999"), "{}", notes(0));
    assert!(!notes(3).contains("99,999") && notes(3).contains("4,321"));
    // What the report has of all processes only is told.
    assert!(
        notes(3).contains("programs that were not traced"),
        "{}",
        notes(3)
    );
    assert!(!notes(0).contains("only for all"), "{}", notes(0));
    assert!(notes(1).contains("no call stacks of this process"));
    assert_eq!(pages[1]["boxes"], json!([]));
    let lacks = |page: usize| pages[page]["lacks"].as_str().expect("text");
    assert_eq!(lacks(2), "");
    assert!(lacks(3).contains("processes that share an entry"));
    assert!(
        pages[3]["about"]
            .as_str()
            .is_some_and(|text| text.starts_with("5 processes in one entry"))
    );
    assert_eq!(pages[5]["cards"], pages[0]["cards"]);
    assert_eq!(pages[5]["sums"], pages[0]["sums"]);
    assert_eq!(pages[5]["tables"], pages[0]["tables"]);
}

/// The findings of a process are those of the text page of that process.
#[test]
fn findings_of_a_process_are_those_of_its_text() {
    let report = sample::report();
    let json = serde_json::to_vec(&report).expect("JSON");
    let steps = json!([["address", "#process=0"], ["address", "#process=1"]]);
    let pages = visited(&page(&report), "", &steps);
    let mut found = Vec::new();
    for (page, process) in pages[1..].iter().zip(&report.processes) {
        let pid = process.pid.to_string();
        let asked = weir(["report", "--width", "1000", "--process", &pid, "-"]);
        let plain = text(&fed(asked, &json).stdout);
        let findings = strings(&page["findings"]);
        let remedies = { plain.lines() }.filter(|line| line.trim_start().starts_with('→'));
        assert_eq!(findings.len(), remedies.count(), "{plain}");
        for finding in &findings {
            let (_, rest) = finding.split_once(": ").expect("a title");
            let (evidence, _) = rest.split_once('→').expect("a remedy");
            assert!(plain.contains(evidence), "{evidence}\n{plain}");
        }
        found.push(findings.len());
    }
    assert!(
        found.contains(&0) && found.iter().sum::<usize>() > 0,
        "{found:?}"
    );
}

/// The second process, at its second 4.4: the charts go from its start to its end.
#[test]
fn charts_are_of_the_process_alone_from_its_start_to_its_end() {
    let pages = visited(
        &page(&with_time()),
        "#process=1",
        &json!([["hover", [0, 0.55]], ["address", "#"], ["hover", [0, 0.55]]]),
    );
    let charts = strings(&pages[1]["charts"]);
    assert_eq!(charts[0], "Heap and resident size");
    let values = strings(&pages[1]["hovered"]).join(" ");
    for expected in [
        "5.40 s 3.91 KiB 14.0 MiB",
        // Requested, calls of allocation, I/O.
        "5.40 s 100 B/s",
        "5.40 s 7 B/s 3 B/s 2 B/s",
        // Threads, processors.
        "5.40 s 1 5.40 s 0.50 0.10",
    ] {
        assert!(values.contains(expected), "{expected}: {values}");
    }
    // Both together, at 5.5 seconds of the run.
    let both = strings(&pages[3]["hovered"]).join(" ");
    assert!(both.contains("5.50 s 8.79 KiB 29.0 MiB"), "{both}");
}
