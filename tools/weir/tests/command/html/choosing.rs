//! How a process is chosen for the page, and left again: by keys, by its address, by the command line.

use serde_json::json;

use super::super::{fed, refusal, sample, success, weir};
use super::processes::{assert_cards, card};
use super::{page, shown, strings, units, visited, with_time};

#[test]
fn a_process_is_chosen_by_keys_and_left_again() {
    let page = page(&with_time());
    let pages = visited(
        &page,
        "#theme=dark&range=500000000-900000000",
        &json!([
            ["focus", "#table-processes .tabulator-tableholder"],
            ["press", "ArrowDown"],
            ["press", "Enter"],
            ["press", "Enter"],
            ["address", "#process=1&theme=dark"],
            ["key", "Escape"],
            ["choose", ["#process", "1"]],
        ]),
    );
    let address = |page: usize| pages[page]["address"].as_str().expect("text");
    let is_alone = |page: usize| {
        pages[page]["subject"]
            .as_str()
            .is_some_and(|bar| bar.contains("alone"))
    };
    // In that range only the first one ran.
    assert!(
        address(3).contains("process=0") && is_alone(3),
        "{}",
        address(3)
    );
    assert_eq!(pages[3]["focused"][1], "all processes (Esc)");
    assert_eq!(pages[3]["marked"], 1);
    assert!(
        !address(4).contains("process") && !is_alone(4),
        "{}",
        address(4)
    );
    assert!(is_alone(5) && pages[5]["theme"] == "dark");
    assert_eq!((address(6), is_alone(6)), ("#theme=dark", false));
    assert_eq!(pages[6]["marked"], 0);
    assert!(
        address(7).contains("process=1") && is_alone(7),
        "{}",
        address(7)
    );
}

/// The second process began after that range.
#[test]
fn a_range_without_the_process_is_left() {
    let pages = visited(
        &page(&with_time()),
        "#range=100000000-900000000",
        &json!([["choose", ["#process", "1"]]]),
    );
    assert_eq!(pages[1]["address"], "#process=1");
    let chosen = pages[1]["chosen"].as_str().expect("text");
    assert!(
        chosen.starts_with("In all: time 1.00 s to 9.00 s"),
        "{chosen}"
    );
}

#[test]
fn on_paper_the_page_is_of_the_process_too() {
    let report = with_time();
    let pages = visited(
        &page(&report),
        "#process=1",
        &json!([["print", null], ["printed", null]]),
    );
    let paper = strings(&pages[1]["paper"]);
    let threads = report.processes[1].threads.len();
    assert!(
        paper.contains(&format!("threads: {threads}").as_str()),
        "{paper:?}"
    );
    assert!(
        pages[1]["subject"]
            .as_str()
            .is_some_and(|bar| bar.contains("alone"))
    );
    assert_eq!(pages[1]["cards"], pages[0]["cards"]);
}

#[test]
fn a_page_opens_at_the_process_that_is_asked_for() {
    let report = with_time();
    let json = serde_json::to_vec(&report).expect("JSON");
    let pid = report.processes[1].pid.to_string();
    let page = success(&fed(weir(["html", "--process", &pid, "-"]), &json));
    let pages = visited(&page, "", &json!([["key", "Escape"], ["address", "#"]]));
    assert_cards(&pages[0], &report.processes[1]);
    assert_eq!(pages[1]["address"], "#process=all");
    // The address of the page as it was opened.
    assert_eq!(pages[2]["cards"], pages[0]["cards"]);
    let linked = visited(&page, "#process=all", &json!([]));
    assert_eq!(linked[0]["cards"], pages[1]["cards"]);

    let none = fed(weir(["html", "--process", "1", "-"]), &json);
    let (code, message) = refusal(&none);
    assert_eq!(code, 2, "as weir report --process");
    assert!(
        message.starts_with("the report has no process 1; it has "),
        "{message}"
    );
}

/// Where a report has one process only, there is nothing to choose.
#[test]
fn one_process_is_the_whole() {
    let mut report = sample::report();
    report.processes.truncate(1);
    let pages = visited(&page(&report), "#process=0", &json!([]));
    assert_eq!(pages[0]["subject"], "");
    assert_eq!(shown(&pages[0], "processes").len(), 1);
    let calls: u64 = report.functions.values().map(|of| of.calls).sum();
    assert_eq!(card(&pages[0], "calls"), units::count(calls));
}
