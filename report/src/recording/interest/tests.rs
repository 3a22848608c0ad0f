use super::*;
use crate::model::{
    Activity, End, Function, LatencyCell, LatencyOverTime, Timeline, TimelinePoint,
};
use crate::recording::report;

const MS: u64 = 1_000_000;

/// An image that started so many milliseconds after the first and ran for 2 ms, and did the same as all others.
fn image(pid: u32) -> Process {
    let started = u64::from(pid) * MS;
    let json = format!(
        r#"{{"pid": {pid}, "parent_pid": 1, "executable": "/bin/{}", "command": [], "forked": false, "started_unix_ns": {started},
        "duration_ns": 2000000, "end": {{"how": "exited", "status": 0}}, "timed_one_in": 1, "functions": {{}},
        "heap": {{"live_bytes": 100, "live_blocks": 2, "peak_bytes": 200, "peak_error_bytes": 1, "inherited_bytes": 50,
        "inherited_blocks": 1}}, "threads": [], "timeline": {{"interval_ns": 0, "points": []}}, "slowest": [], "provenance": [],
        "missed": {{"dropped_samples": 1, "reentrant_calls": 2, "untimed_calls": 3, "uncounted_calls": 4, "unlisted_errnos": 5,
        "threads_without_slot": 6, "not_interposed": [], "notes": ["of all"]}},
        "tool": {{"region_bytes": 7, "writer_bytes": 0, "samples": 8, "writer_polls": 9, "writer_cpu_ns": 1}}}}"#,
        ["a", "b"][pid as usize % 2]
    );
    let mut image: Process = serde_json::from_str(&json).expect("a process");
    let function = Function {
        family: "file".to_owned(),
        calls: 10,
        errors: 1,
        errors_by_errno: [("EIO".to_owned(), 1)].into(),
        moved_bytes: 1000,
        ..Function::default()
    };
    image.functions = [("read".to_owned(), function)].into();
    let transfer = Activity {
        calls: 10,
        total_ns: 1000,
    };
    image.activities = [("transfer".to_owned(), transfer)].into();
    image.timeline.points = [(0, 50, 0), (MS, 200, 600), (2 * MS, 100, 1000)]
        .map(|(at_ns, live_bytes, read_bytes)| TimelinePoint {
            at_ns,
            live_bytes,
            read_bytes,
            copied_bytes: read_bytes / 2,
            threads: (at_ns > 0).then_some(2),
            ..TimelinePoint::default()
        })
        .into();
    image.latency_over_time = Some(Box::new(LatencyOverTime {
        interval_ns: 5 * MS,
        activities: [("transfer".to_owned(), vec![LatencyCell(0, 20, 10)])].into(),
    }));
    image
}

fn of(images: Vec<Process>) -> Report {
    let mut report = report(images, End::default(), 1);
    report.missed.notes.push("of the recording".to_owned());
    report
}

fn folded_of(images: Vec<Process>) -> Report {
    let mut report = of(images);
    fold_what_is_not_of_interest(&mut report);
    report
}

fn whole_pids(report: &Report) -> Vec<u32> {
    let whole = report.processes.iter().filter(|of| of.folded.is_none());
    whole.map(|process| process.pid).collect()
}

#[test]
fn few_images_stay_as_they_are() {
    let images: Vec<Process> = (1..=MOST_WHOLE as u32).map(image).collect();
    assert_eq!(folded_of(images.clone()), of(images));
}

#[test]
fn the_totals_stay_and_are_the_sums_of_the_entries() {
    let images: Vec<Process> = (1..=300).map(image).collect();
    let (before, after) = (of(images.clone()), folded_of(images));
    assert_eq!(whole_pids(&after).len(), MOST_WHOLE);
    assert_eq!((after.processes.len(), after.folded_processes), (102, 200));
    let without_processes = |report: &Report| Report {
        processes: Vec::new(),
        folded_processes: 0,
        ..report.clone()
    };
    assert_eq!(without_processes(&after), without_processes(&before));
    // Who adds the entries up has the same.
    let again = of(after.processes);
    assert_eq!(without_processes(&again), without_processes(&before));
    assert_eq!(again.functions["read"].calls, 3000);
}

#[test]
fn the_first_process_and_what_failed_stay() {
    let mut images: Vec<Process> = (1..=1000).map(image).collect();
    // The first process executes another program late.
    images[900].pid = 1;
    images[800].end = End {
        how: EndKind::Signaled,
        status: None,
        signal: Some(11),
    };
    images[801].end.status = Some(2);
    images[802].end = End {
        how: EndKind::Running,
        status: None,
        signal: None,
    };
    let pids = whole_pids(&folded_of(images));
    assert_eq!(pids.iter().filter(|&&pid| pid == 1).count(), 2);
    for pid in [801, 802, 803] {
        assert!(pids.contains(&pid), "{pid}: {pids:?}");
    }
}

#[test]
fn the_largest_of_each_number_stays() {
    let largest: [fn(&mut Process); 9] = [
        |image| image.functions.get_mut("read").expect("read").calls += 1,
        |image| image.functions.get_mut("read").expect("read").errors += 1,
        |image| {
            let malloc = Function {
                family: "alloc".to_owned(),
                requested_bytes: 1,
                ..Function::default()
            };
            image.functions.insert("malloc".to_owned(), malloc);
        },
        |image| image.functions.get_mut("read").expect("read").moved_bytes += 1,
        |image| {
            image
                .activities
                .get_mut("transfer")
                .expect("transfer")
                .total_ns += 1;
        },
        |image| {
            let wait = Activity {
                calls: 1,
                total_ns: 1,
            };
            image.activities.insert("wait".to_owned(), wait);
        },
        |image| image.heap.live_bytes += 1,
        |image| image.heap.peak_bytes += 1,
        |image| image.duration_ns += 1,
    ];
    for (number, enlarge) in largest.into_iter().enumerate() {
        let mut images: Vec<Process> = (1..=500).map(image).collect();
        enlarge(&mut images[400]);
        let pids = whole_pids(&folded_of(images));
        assert!(pids.contains(&401), "number {number}: {pids:?}");
    }
}

/// However many failed, the largest have their turn.
#[test]
fn no_reason_takes_all_places() {
    let mut images: Vec<Process> = (1..=900).map(image).collect();
    for image in &mut images[..800] {
        image.end.status = Some(1);
        image.missed.notes.push("of most".to_owned());
    }
    images[850].functions.get_mut("read").expect("read").calls = 11;
    images[860].missed.notes.push("of one".to_owned());
    let report = folded_of(images);
    let pids = whole_pids(&report);
    assert_eq!(pids.len(), MOST_WHOLE);
    assert!(pids.contains(&851) && pids.contains(&861), "{pids:?}");
    let notes = [
        "of all",
        "800 of 900 processes: of most",
        "process 861: of one",
        "of the recording",
    ];
    assert_eq!(report.missed.notes, notes);
}

#[test]
fn what_was_folded_before_is_added_to() {
    let mut report = folded_of((1..=500).map(image).collect());
    let more = (501..=1000).map(image);
    report.processes.extend(more);
    let mut report = of(report.processes);
    fold_what_is_not_of_interest(&mut report);
    assert_eq!(
        (report.processes.len(), report.folded_processes),
        (102, 900)
    );
    assert_eq!(report.functions["read"].calls, 10_000);
}

/// What is over time goes on to be all of it.
#[test]
fn what_is_over_time_is_that_of_all_images() {
    let report = folded_of((1..=300).map(image).collect());
    let entries = || report.processes.iter().filter(|of| of.folded.is_some());
    assert_eq!(entries().count(), 2);
    for entry in entries() {
        let images = entry.stands_for();
        let Timeline { points, .. } = &entry.timeline;
        let last = points.last().expect("points");
        assert_eq!(
            (last.at_ns, last.read_bytes, last.copied_bytes),
            (entry.duration_ns, images * 1000, images * 500)
        );
        let grows = points
            .windows(2)
            .all(|two| two[0].at_ns < two[1].at_ns && two[0].read_bytes <= two[1].read_bytes);
        assert!(
            grows && points.len() > 10 && points.len() <= 201,
            "{points:?}"
        );
        // An image of each executable starts every 2 ms and runs as long.
        let most = points.iter().map(|point| point.live_bytes).max();
        assert!(most <= Some(300), "{points:?}");
        let threads = points.iter().filter_map(|point| point.threads);
        assert!(
            (2..=4).contains(&threads.max().expect("numbers")),
            "{points:?}"
        );
        let over_time = entry.latency_over_time.as_ref().expect("a grid");
        let cells = &over_time.activities["transfer"];
        let samples: u64 = cells.iter().map(|cell| cell.2).sum();
        assert_eq!(samples, images * 10);
        assert!(cells.len() > 10 && cells.len() <= 200, "{cells:?}");
    }
}
