//! The page without a mouse, in its address, on paper, and of a later version.

use serde_json::{Value, json};

use super::{page, shown, strings, visited, with_stacks, with_time};
use crate::sample;

fn focused(page: &Value) -> (&str, &str) {
    let focused = page["focused"].as_array().expect("a pair");
    let text = |at: usize| focused[at].as_str().expect("text");
    (text(0), text(1))
}

#[test]
fn rows_are_reached_and_opened_by_keys() {
    let page = page(&sample::report());
    let first = "#table-functions .tabulator-tableholder";
    let pages = visited(
        &page,
        "#filter.functions=re",
        &json!([
            ["focus", "input[aria-label='filter functions']"],
            ["press", "Tab"],
            ["focus", first],
            ["press", "ArrowDown"],
            ["press", "ArrowDown"],
            ["press", "ArrowUp"],
            ["press", "End"],
            ["press", "Enter"],
        ]),
    );
    let (class, head) = focused(&pages[2]);
    assert!(class.contains("tabulator-col"), "{class}");
    assert_eq!(head, "function");
    let names: Vec<&str> = shown(&pages[0], "functions")
        .iter()
        .map(|row| row["name"].as_str().expect("a name"))
        .collect();
    assert!(names.len() > 2, "{names:?}");
    let last = names[names.len() - 1];
    for (page, name) in [(4, names[0]), (5, names[1]), (6, names[0]), (7, last)] {
        let (class, row) = focused(&pages[page]);
        assert!(class.contains("tabulator-row"), "{page}: {class}");
        assert!(row.starts_with(name), "{page}: {row}");
    }
    let title = pages[8]["openedTitle"].as_str().expect("a title");
    assert!(title.starts_with(last), "{title}");
}

#[test]
fn heads_sort_by_keys_and_the_address_says_how() {
    let page = page(&sample::report());
    let calls = "#table-functions .tabulator-col[tabulator-field=calls]";
    let pages = visited(
        &page,
        "",
        &json!([
            ["focus", calls],
            ["press", "Enter"],
            ["press", "Enter"],
            [
                "address",
                "#sort.functions=name.desc&sort.files=nosuch.asc&sort.errors=x"
            ],
            ["address", "#"],
        ]),
    );
    let order = |page: &Value, field: &str| -> Vec<String> {
        let rows = shown(page, "functions").iter();
        rows.map(|row| row[field].as_str().expect("text").to_owned())
            .collect()
    };
    let numbers = |page: &Value| -> Vec<u64> {
        let texts = order(page, "calls").into_iter();
        texts
            .map(|text| text.replace(',', "").parse().expect("a number"))
            .collect()
    };
    assert_eq!(pages[2]["address"], "#sort.functions=calls.desc");
    assert!(numbers(&pages[2]).is_sorted_by(|a, b| a >= b));
    assert_eq!(pages[3]["address"], "#sort.functions=calls.asc");
    assert!(numbers(&pages[3]).is_sorted());
    assert!(order(&pages[4], "name").is_sorted_by(|a, b| a >= b));
    // What the page was sorted by at first.
    assert_ne!(order(&pages[0], "name"), order(&pages[4], "name"));
    assert_eq!(order(&pages[5], "name"), order(&pages[0], "name"));

    let linked = visited(&page, "#sort.functions=calls.asc", &json!([]));
    assert_eq!(order(&linked[0], "name"), order(&pages[3], "name"));
}

#[test]
fn boxes_are_reached_and_shown_by_keys() {
    let page = page(&with_stacks());
    let pages = visited(
        &page,
        "",
        &json!([
            ["focus", "#stacks > .flame g.frame[tabindex='0']"],
            ["press", "ArrowDown"],
            ["press", "ArrowDown"],
            ["press", "ArrowDown"],
            ["press", "ArrowRight"],
            ["press", "ArrowLeft"],
            ["press", "ArrowUp"],
            ["press", "ArrowDown"],
            ["press", "Enter"],
            ["press", "ArrowRight"],
            ["click", "#stacks > .tools button"],
            ["press", "ArrowRight"],
            ["press", "ArrowLeft"],
            ["press", "Enter"],
            ["click", "#stacks > .tools button + button"],
        ]),
    );
    let expected = [
        (1, "all: 100 B (100 %)"),
        (2, "main: 100 B (100 %)"),
        (3, "outer: 100 B (100 %)"),
        (4, "inner: 70 B (70.0 %)"),
        (5, "malloc: 30 B (30.0 %)"),
        (6, "inner: 70 B (70.0 %)"),
        (7, "outer: 100 B (100 %)"),
        (8, "inner: 70 B (70.0 %)"),
        // In the whole width, it has none beside it.
        (9, "inner: 70 B (70.0 %)"),
        (10, "inner: 70 B (70.0 %)"),
        // In the whole picture again.
        (12, "malloc: 30 B (30.0 %)"),
        (13, "inner: 70 B (70.0 %)"),
    ];
    for (page, name) in expected {
        assert_eq!(focused(&pages[page]), ("frame", name), "{page}");
    }
    let boxes = strings(&pages[9]["boxes"]);
    assert!(!boxes.contains(&"malloc: 30 B (30.0 %)"), "{boxes:?}");
    // What is shown so can be looked at from there.
    assert_eq!(pages[15]["address"], "#around=inner");
}

#[test]
fn a_dark_page_is_light_on_paper() {
    let pages = visited(
        &page(&with_stacks()),
        "#theme=dark&around=outer",
        &json!([["print", null], ["printed", null]]),
    );
    for (page, theme, background) in [
        (0, "dark", "rgb(20, 23, 28)"),
        (1, "light", "rgb(255, 255, 255)"),
        (2, "dark", "rgb(20, 23, 28)"),
    ] {
        assert_eq!(pages[page]["theme"], theme, "{page}");
        assert_eq!(pages[page]["background"], background, "{page}");
        assert_eq!(pages[page]["boxes"], pages[0]["boxes"], "{page}");
        assert_eq!(pages[page]["around"], pages[0]["around"], "{page}");
    }
    // The pictures, too.
    assert_ne!(pages[0]["colours"], pages[1]["colours"]);
    assert_eq!(pages[0]["colours"], pages[2]["colours"]);
    assert_eq!(strings(&pages[0]["boxes"]).len(), 6);
}

#[test]
fn activities_of_a_later_version_have_their_latencies_over_time() {
    let mut report = with_time();
    for process in &mut report.processes {
        let grid = process.latency_over_time.as_mut().expect("latencies");
        let cells = grid.activities["transfer"].clone();
        grid.activities.insert("remote_call".to_owned(), cells);
    }
    let pages = visited(&page(&report), "", &json!([]));
    let charts = strings(&pages[0]["charts"]);
    let at = |title| charts.iter().position(|&chart| chart == title);
    let known = at("Transfer: read, write, sync").expect("what is known");
    assert_eq!(at("Remote call"), Some(known + 1), "{charts:?}");
}
