//! What the page shows of ranges of time.

use serde_json::{Value, json};
use weir_report::model::{LatencyCell, LatencyOverTime, Report, Timeline, TimelinePoint, Usage};

use super::super::{fed, sample, text, weir};
use super::{by, page, rows, shown, strings, units, visited, whole};

/// Two processes, the second of which starts a second after the first one, with points each second.
pub fn with_time() -> Report {
    const S: u64 = 1_000_000_000;
    let mut report = sample::report();
    report.processes.truncate(2);
    report.duration_ns = 10 * S;
    for (index, process) in (0..).zip(&mut report.processes) {
        process.started_unix_ns = report.started_unix_ns + index * S;
        process.duration_ns = 8 * S;
        process.heap.not_known = None;
        let points = (0..=8).map(|second| TimelinePoint {
            at_ns: second * S,
            live_bytes: 1000 * second as i64,
            alloc_calls: 10 * second * second,
            alloc_bytes: 100 * second,
            io_calls: second,
            read_bytes: 7 * second,
            written_bytes: 3 * second,
            copied_bytes: 2 * second,
            threads: (second > 0).then_some(second as u32 % 4 + 1),
            usage: Some(Usage {
                resident_bytes: (10 + second) << 20,
                minor_faults: 100 + second,
                major_faults: 0,
                user_ns: second * S / 2,
                system_ns: second * S / 10,
            }),
        });
        // Of a second, two samples of 1 µs, and one of 3 ms in the column of second 5.
        let mut cells: Vec<LatencyCell> = (0..8).map(|second| LatencyCell(second, 19, 2)).collect();
        cells.insert(6, LatencyCell(5, 43, 1));
        process.latency_over_time = Some(Box::new(LatencyOverTime {
            interval_ns: S,
            activities: [("transfer".to_owned(), cells)].into(),
        }));
        process.timeline = Timeline {
            interval_ns: S,
            points: points.collect(),
        };
        let call = process.slowest.first().cloned();
        process.longest_waits.clear();
        process.slowest.clear();
        if let Some(mut call) = call {
            call.at_ns = 3 * S;
            call.took_ns = S;
            process.slowest.push(call);
        }
    }
    report
}

#[test]
fn a_range_of_time_has_the_numbers_of_its_ends() {
    let page = page(&with_time());
    let pages = visited(
        &page,
        "",
        &json!([
            ["address", "#range=2000000000-4000000000"],
            ["address", "#range=2000000000-4000000000&process=0"],
            ["key", "Escape"],
        ]),
    );
    let chosen = |page: &Value| page["chosen"].as_str().expect("text").to_owned();
    assert!(
        chosen(&pages[0]).contains("allocation calls, with frees 1,280requested 1.56 KiB"),
        "{}",
        chosen(&pages[0])
    );
    // Of the first process from its second 2 to 4, of the other one from 1 to 3.
    let both = chosen(&pages[1]);
    assert!(
        both.contains(
            "allocation calls, with frees 200requested 400 BI/O calls 4read 28 Bwritten 12 Bcopied 8 Bthreads, up to 7"
        ),
        "{both}"
    );
    let one = chosen(&pages[2]);
    assert!(
        one.contains(
            "allocation calls, with frees 120requested 200 BI/O calls 2read 14 Bwritten 6 Bcopied 4 Bthreads, up to 4"
        ),
        "{one}"
    );
    for expected in [
        "CPU, at least 2.40 s",
        "page faults, at least 4 minor, 0 major",
    ] {
        assert!(both.contains(expected), "{both}");
    }
    for (page, expected) in [
        (
            &pages[0],
            "34 timed calls: p50 724 ns to 1.02 µs, p90 724 ns to 1.02 µs, p99 2.97 ms to 4.19 ms",
        ),
        (
            &pages[1],
            "8 timed calls: p50 724 ns to 1.02 µs, p90 724 ns to 1.02 µs, p99 724 ns to 1.02 µs",
        ),
        (
            &pages[2],
            "4 timed calls: p50 724 ns to 1.02 µs, p90 724 ns to 1.02 µs, p99 724 ns to 1.02 µs",
        ),
    ] {
        assert_eq!(page["heat"], json!([expected]));
    }
    let charts = strings(&pages[0]["charts"]);
    for chart in [
        "Heap and resident size",
        "I/O",
        "I/O calls",
        "Threads",
        "CPU, in processors",
        "Page faults",
        "Transfer: read, write, sync",
    ] {
        assert!(charts.contains(&chart), "{charts:?}");
    }
    // The slow calls from 3 to 4 and from 4 to 5 touch the range, and both processes ran in it.
    assert_eq!(rows(&pages[1], "processes").len(), 2);
    let all = rows(&pages[0], "slowest").len();
    assert_eq!(rows(&pages[1], "slowest").len(), all);
    // Escape looks at all of it again.
    assert_eq!(pages[3]["address"], "#process=0");
    let later = visited(&page, "#range=8500000000-9000000000", &json!([]));
    assert_eq!(
        rows(&later[0], "processes").len(),
        1,
        "the first one has ended"
    );
    assert_eq!(rows(&later[0], "slowest").len(), 0);
}

/// Titles are text of the program.
#[test]
fn processes_have_their_titles() {
    let mut report = with_time();
    let title = "server: <b>idle</b>\u{1b}";
    report.processes[1].title = Some(title.to_owned());
    let page = whole(&report);
    let titles = rows(&page, "processes").iter().map(|row| &row["title"]);
    let titles: Vec<&Value> = titles.collect();
    assert!(titles.contains(&&json!(title)) && titles.contains(&&Value::Null));
    let visible = "server: <b>idle</b>\\u{1b}";
    let shown = shown(&page, "processes").iter();
    let shown: Vec<String> = shown.map(Value::to_string).collect();
    let expected = json!(visible).to_string();
    assert!(
        shown
            .iter()
            .any(|row| row.contains(expected.trim_matches('"'))),
        "{shown:?}"
    );
    report.processes[1].title = None;
    let page = whole(&report);
    assert!(
        rows(&page, "processes")
            .iter()
            .all(|row| row["title"].is_null())
    );
}

/// The column of a short program's calls is wider than its life; and where the ring was full, nothing is known of percentiles.
#[test]
fn a_program_of_two_milliseconds_has_its_latencies() {
    let mut report = sample::report();
    report.processes.truncate(1);
    report.duration_ns = 2_000_000;
    let process = &mut report.processes[0];
    process.duration_ns = report.duration_ns;
    process.timeline = Timeline::default();
    process.latency_over_time = Some(Box::new(LatencyOverTime {
        interval_ns: 5_000_000,
        activities: [("transfer".to_owned(), vec![LatencyCell(0, 19, 500)])].into(),
    }));
    let read = report.functions.get_mut("read").expect("called");
    let latency = read.latency.as_mut().expect("timed");
    latency.dropped = latency.timed;
    let json = serde_json::to_vec(&report).expect("JSON");
    let page = whole(&report);
    let heat = strings(&page["heat"]);
    assert!(
        heat[0].starts_with("500 timed calls: p50 724 ns"),
        "{heat:?}"
    );
    let read = by(rows(&page, "functions"), "name")["read"];
    assert_eq!((&read["p50"], &read["p99"]), (&Value::Null, &Value::Null));
    assert!(read["max"].is_u64());
    let output = fed(weir(["report", "--width", "200", "-"]), &json);
    let plain = text(&output.stdout);
    let line = plain
        .lines()
        .find(|line| line.trim_start().starts_with("read "));
    let words: Vec<&str> = line.unwrap_or(&plain).split_whitespace().collect();
    assert!(
        words.iter().filter(|&&word| word == units::NONE).count() >= 4,
        "{words:?}"
    );
}

/// After an exec, a process goes on with the CPU time that it had: the second image began at second 1 with what the first one had at its end.
#[test]
fn what_a_process_took_before_an_exec_is_counted_once() {
    let mut report = with_time();
    report.processes[1].pid = report.processes[0].pid;
    for point in &mut report.processes[1].timeline.points {
        let usage = point.usage.as_mut().expect("a usage");
        usage.minor_faults += 50;
        usage.user_ns += 4_000_000_000;
        usage.system_ns += 800_000_000;
    }
    // Not every point has one.
    report.processes[1].timeline.points[0].usage = None;
    report.processes[1].timeline.points[4].usage = None;
    let page = page(&report);
    let pages = visited(
        &page,
        "",
        &json!([["address", "#range=4500000000-5500000000&process=1"]]),
    );
    let all = pages[0]["chosen"].as_str().expect("text");
    // 4.8 s of the first image, and as much of the second one.
    assert!(all.contains("CPU, at least 9.60 s"), "{all}");
    // 108 of the first one; the second one ends with 158.
    assert!(all.contains("page faults, at least 158 minor"), "{all}");
    // From its second 3.5 to 4.5, between the readings of 3 and 5: evenly.
    let middle = pages[1]["chosen"].as_str().expect("text");
    assert!(middle.contains("CPU, at least 600 ms"), "{middle}");
}
