//! `weir report --totals`: the totals as JSON, which are those of the report.

use std::path::Path;

use serde_json::{Map, Value};
use weir_report::model::Report;

use super::run::{Place, silent};
use super::{fed, refusal, sample, success, text, weir};

fn totals(report: &Report) -> Value {
    let json = serde_json::to_vec(report).expect("JSON");
    let output = fed(weir(["report", "--totals", "-"]), &json);
    let line = success(&output);
    assert_eq!(line.lines().count(), 1);
    serde_json::from_str(&line).expect("JSON")
}

fn schema() -> String {
    text(&weir(["schema", "--totals"]).output().expect("ended").stdout)
}

/// Those that are at no such place in the report.
const OWN: [&str; 8] = [
    "schema",
    "runs",
    "process_images",
    "calls",
    "errors",
    "time",
    "waited",
    "allocation",
];

/// Every number and text at its place in the report; how many there are.
fn assert_same(totals: &Map<String, Value>, report: &Value, place: &str) -> usize {
    let mut compared = 0;
    for (name, value) in totals {
        let place = format!("{place}.{name}");
        match value {
            Value::Object(fields) => compared += assert_same(fields, &report[name], &place),
            _ => {
                assert_eq!(*value, report[name], "{place}");
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn what_the_report_has_too_is_the_same_at_the_same_place() {
    for report in [sample::report(), sample::later()] {
        let mut totals = totals(&report);
        let totals = totals.as_object_mut().expect("an object");
        for name in OWN.into_iter().chain(["io"]) {
            assert!(totals.remove(name).is_some(), "{name}");
        }
        let report = serde_json::to_value(&report).expect("JSON");
        let compared = assert_same(totals, &report, "");
        assert!(compared > 400, "{compared}");
        let functions = |of: &Value| of.as_object().expect("functions").len();
        assert_eq!(
            functions(&totals["functions"]),
            functions(&report["functions"])
        );
    }
}

#[test]
fn sums_over_functions_are_those_of_the_functions() {
    let report = sample::report();
    let totals = totals(&report);
    let functions = || report.functions.iter();
    let sum = |of: &dyn Fn(&str, &weir_report::model::Function) -> u64| -> u64 {
        functions().map(|(name, function)| of(name, function)).sum()
    };
    assert_eq!(totals["calls"], sum(&|_, of| of.calls));
    assert_eq!(totals["errors"], sum(&|_, of| of.errors));
    let allocating = ["malloc", "calloc", "realloc"];
    let of_allocation = |of: fn(&weir_report::model::Function) -> u64| {
        sum(&|name, function| match allocating.contains(&name) {
            true => of(function),
            false => 0,
        })
    };
    let allocation = &totals["allocation"];
    assert_eq!(allocation["allocating_calls"], of_allocation(|of| of.calls));
    assert_eq!(
        allocation["requested_bytes"],
        of_allocation(|of| of.requested_bytes)
    );
    let io = &totals["io"];
    let parts = ["read_bytes", "written_bytes", "copied_bytes"];
    let parts = parts.map(|part| io[part].as_u64().expect("a number"));
    assert_eq!(io["moved_bytes"], parts.iter().sum::<u64>());
    assert_eq!(totals["process_images"], report.processes.len());
    assert_eq!(totals["runs"], 1);
}

/// Who holds numbers as doubles has the same ones.
#[test]
fn there_is_no_list_and_no_number_that_jq_would_round() {
    fn look(value: &Value, place: &str) {
        match value {
            Value::Number(number) => {
                let beyond = number.as_u64().is_some_and(|number| number > 1 << 53);
                assert!(!beyond, "{place}: {number}");
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    let lists = [
                        "processes",
                        "threads",
                        "listed",
                        "slowest",
                        "longest_waits",
                        "histogram",
                        "size_classes",
                        "timeline",
                        "stacks",
                        "coroutines",
                        "provenance",
                    ];
                    let is_one = lists.contains(&name.as_str()) && !field.is_number();
                    assert!(!is_one, "{place}.{name}");
                    look(field, &format!("{place}.{name}"));
                }
            }
            _ => {}
        }
    }
    let mut report = sample::report();
    let exact = "2026-09-21T14:13:20.123456789Z";
    report.started_unix_ns += 123_456_789;
    report.started_at = Some(exact.to_owned());
    look(&totals(&report), "");
    assert_eq!(totals(&report)["started_at"], exact);
    // Of an earlier version.
    report.started_at = None;
    assert_eq!(totals(&report)["started_at"], exact);
}

#[test]
fn they_are_valid_by_their_documented_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/weir.totals-1.schema.json");
    let documented = std::fs::read_to_string(path).expect("the schema can be read");
    assert!(
        documented == schema(),
        "the types of the totals have changed: weir schema --totals > docs/weir.totals-1.schema.json, and if an old reader would be misled, give the format its next number"
    );
    let schema: Value = serde_json::from_str(&documented).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut totals = totals(&sample::report());
    let errors: Vec<String> = validator
        .iter_errors(&totals)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    totals["schema"] = "weir.report/1".into();
    assert!(!validator.is_valid(&totals));
    totals["schema"] = "weir.totals/1".into();
    totals["io"]["read_bytes"] = "many".into();
    assert!(!validator.is_valid(&totals));
}

/// What `head` copies is known without Weir.
#[test]
fn a_script_asks_for_what_a_run_has_read() {
    let place = Place::new();
    let script = "head -c 100000 /dev/zero > copy; head -c 5 copy > part; exit 3";
    let output = place.run_shell(script).output().expect("ended");
    assert_eq!(silent(&output), "");
    let path = place.file("report.json");
    let output = weir(["report".as_ref(), "--totals".as_ref(), path.as_os_str()]).output();
    let totals: Value = serde_json::from_slice(&output.expect("ended").stdout).expect("JSON");
    assert_eq!(totals["io"]["written_bytes"], 100_005);
    assert_eq!(totals["end"]["status"], 3);
    assert_eq!(totals["process_images"], place.report().processes.len());
    assert_eq!(
        totals["functions"]["malloc"]["calls"],
        place.report().functions["malloc"].calls
    );
    let whole = std::fs::metadata(&path).expect("the report").len();
    let small = totals.to_string().len() as u64;
    assert!(small * 3 < whole, "{small} bytes of {whole}");
}

#[test]
fn options_of_pages_are_refused() {
    for option in [
        "--process=4713",
        "--function=read",
        "--file=x",
        "--by=site",
        "--sort=calls",
        "--color=always",
        "--width=80",
    ] {
        let line = ["report", "--totals", option, "report.json"];
        let (code, line) = refusal(&weir(line).output().expect("ended"));
        assert_eq!(code, 2, "{line}");
        let (name, _) = option.split_once('=').expect("a value");
        assert!(line.contains("cannot be used with"), "{line}");
        assert!(line.contains(name), "{line}");
    }
    let (code, line) = refusal(&fed(weir(["report", "--totals", "-"]), b"{"));
    assert_eq!(
        (code, line.as_str()),
        (
            125,
            "cannot read standard input: it is cut off: the JSON is not complete after 1 bytes"
        )
    );
}
