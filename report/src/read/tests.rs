use std::collections::BTreeMap;
use std::io::Write;

use super::*;
use crate::model::{
    EndKind, Files, Folded, Frame, Function, Module, Process, Site, Stacks, TimelinePoint, Usage,
};

fn sample() -> Report {
    let functions = [(
        "malloc".to_owned(),
        Function {
            calls: 3,
            ..Function::default()
        },
    )];
    Report {
        schema: SCHEMA.to_owned(),
        weir_version: "0.1.0".to_owned(),
        command: vec!["prögram".to_owned(), "--text=\"[{,:".to_owned()],
        started_unix_ns: 1,
        started_at: None,
        duration_ns: 2,
        end: Default::default(),
        timed_one_in: 1,
        functions: functions.clone().into(),
        heap: Default::default(),
        activities: BTreeMap::new(),
        files: Files::default(),
        coroutines: None,
        longest_waits: Vec::new(),
        slowest: Vec::new(),
        processes: vec![Process {
            pid: 7,
            parent_pid: 1,
            executable: "/bin/prögram".to_owned(),
            command: Vec::new(),
            title: None,
            forked: false,
            started_unix_ns: 1,
            started_at: None,
            duration_ns: 2,
            end: crate::model::End {
                how: EndKind::Signaled,
                status: None,
                signal: Some(9),
            },
            folded: Some(Box::new(Folded {
                processes: 2,
                ..Folded::default()
            })),
            timed_one_in: 1,
            functions: functions.into(),
            heap: Default::default(),
            threads: Vec::new(),
            timeline: Default::default(),
            latency_over_time: None,
            activities: BTreeMap::new(),
            files: Files::default(),
            coroutines: None,
            stacks: None,
            longest_waits: Vec::new(),
            in_flight: Vec::new(),
            slowest: Vec::new(),
            provenance: Default::default(),
            missed: Default::default(),
            tool: Default::default(),
        }],
        runs: 1,
        parts: Vec::new(),
        folded_processes: 2,
        tree_peak: None,
        missed: Default::default(),
        tool: Default::default(),
    }
}

/// The error and its cause, in one line.
fn refused(text: &[u8]) -> String {
    let error = from_slice(text).expect_err("refused");
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[test]
fn what_was_written_is_read_back() {
    let report = sample();
    for text in [
        serde_json::to_vec(&report),
        serde_json::to_vec_pretty(&report),
    ] {
        let text = text.expect("JSON");
        assert_eq!(from_slice(&text).expect("a report"), report);
        assert_eq!(from_reader(&text[..]).expect("a report"), report);
    }
}

/// Reports of older versions have none.
#[test]
fn points_without_usage_are_read() {
    let mut report = sample();
    let usage = Usage {
        resident_bytes: 1,
        minor_faults: 2,
        major_faults: 3,
        user_ns: 4,
        system_ns: u64::MAX,
    };
    report.processes[0].timeline.points = [None, Some(usage)]
        .map(|usage| TimelinePoint {
            at_ns: 9,
            usage,
            ..TimelinePoint::default()
        })
        .to_vec();
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(from_slice(text.as_bytes()).expect("a report"), report);
    assert_eq!(text.matches("\"usage\"").count(), 1);
    let usage = serde_json::to_string(&usage).expect("JSON");
    let older = text.replace(&format!(",\"usage\":{usage}"), "");
    let older = from_slice(older.as_bytes()).expect("a report");
    let points = &older.processes[0].timeline.points;
    assert_eq!(points.len(), 2);
    assert!(points.iter().all(|point| point.usage.is_none()));
}

fn with_stacks(frames: usize) -> Report {
    let frame = |number: usize| Frame {
        parent: number.checked_sub(1).map(|parent| parent as u32),
        module: Some(0),
        offset: 0x1000 + number as u64,
    };
    let mut report = sample();
    report.processes[0].stacks = Some(Stacks {
        modules: vec![Module {
            path: "/bin/prögram".to_owned(),
            build_id: Some("0123abcd".to_owned()),
            ..Module::default()
        }],
        frames: (0..frames).map(frame).collect(),
        sites: vec![Site {
            frame: frames.checked_sub(1).map(|last| last as u32),
            function: "malloc".to_owned(),
            calls: 3,
            ..Site::default()
        }],
        ended: [("too_deep".to_owned(), 2)].into(),
        ..Stacks::default()
    });
    report
}

#[test]
fn stacks_are_read_back() {
    for frames in [0, 1, 1000] {
        let report = with_stacks(frames);
        let text = serde_json::to_vec(&report).expect("JSON");
        assert_eq!(from_slice(&text).expect("a report"), report);
    }
}

#[test]
fn stacks_that_lead_nowhere_are_refused() {
    let whole = serde_json::to_value(with_stacks(3)).expect("JSON");
    let cases = [
        (
            "/frames/1/parent",
            1,
            "the caller of frame 1 is no frame before it",
        ),
        (
            "/frames/0/parent",
            2,
            "the caller of frame 0 is no frame before it",
        ),
        (
            "/frames/2/module",
            1,
            "the module of frame 2 does not exist",
        ),
        ("/sites/0/frame", 3, "the frame of site 0 does not exist"),
    ];
    for (place, value, words) in cases {
        let mut damaged = whole.clone();
        let stacks = &mut damaged["processes"][0]["stacks"];
        let (of, field) = place.rsplit_once('/').expect("a field");
        stacks.pointer_mut(of).expect("an object")[field] = value.into();
        assert_eq!(
            refused(&serde_json::to_vec(&damaged).expect("JSON")),
            format!("it is not a valid weir.report/1: stacks of process 7: {words}")
        );
    }
    // No index of the model is negative, or beyond 32 bits.
    for value in [-1, 1_i64 << 32] {
        let mut damaged = whole.clone();
        damaged["processes"][0]["stacks"]["frames"][1]["parent"] = value.into();
        assert!(
            refused(&serde_json::to_vec(&damaged).expect("JSON"))
                .starts_with("it is not a valid weir.report/1: invalid value: integer")
        );
    }
}

/// `sample` has no `started_at`, like reports of older versions.
#[test]
fn a_report_without_the_start_as_text_is_read() {
    let text = serde_json::to_string(&sample()).expect("JSON");
    assert!(!text.contains("started_at"), "{text}");
    let report = from_slice(text.as_bytes()).expect("a report");
    assert_eq!((report.started_unix_ns, report.started_at), (1, None));
}

#[test]
fn a_report_cut_off_anywhere_is_called_so() {
    let text = serde_json::to_vec_pretty(&sample()).expect("JSON");
    for end in 1..text.len() {
        match from_slice(&text[..end]) {
            Err(ReadError::Truncated { bytes }) => assert_eq!(bytes, end as u64),
            other => panic!("cut off after {end} bytes: {other:?}"),
        }
    }
    assert_eq!(
        refused(&text[..40]),
        "it is cut off: the JSON is not complete after 40 bytes"
    );
}

#[test]
fn fields_of_later_minor_versions_are_passed_over() {
    let mut value = serde_json::to_value(sample()).expect("JSON");
    value["later"] = serde_json::json!({"nested": [1, 2, {"x": null}]});
    let text = serde_json::to_vec(&value).expect("JSON");
    assert_eq!(from_slice(&text).expect("a report"), sample());
}

#[test]
fn other_documents_are_refused_by_name() {
    assert_eq!(
        refused(br#"{"schema": "weir.report/2", "runs": []}"#),
        "it is in the format weir.report/2; this version of weir reads weir.report/1"
    );
    let not_a_report = "it is JSON, but not a report of Weir (no \"schema\": \"weir.report/1\")";
    for text in [
        "[]",
        "3",
        "{}",
        r#"{"schema": 1}"#,
        r#"{"schema": "weir.report/x"}"#,
        r#"{"schema": "\u001b[2J"}"#,
    ] {
        assert_eq!(refused(text.as_bytes()), not_a_report, "{text}");
    }
    assert_eq!(
        refused(b" \n"),
        "it is empty; was the program still running?"
    );
    assert!(refused(b"WEIR\0\0\0\0").starts_with("it is not a report of Weir: not JSON: "));
    let text = [serde_json::to_vec(&sample()).expect("JSON"), b"{}".to_vec()].concat();
    assert!(refused(&text).starts_with("it is not a report of Weir: not JSON: "));
    assert!(
        refused(br#"{"schema": "weir.report/1"}"#)
            .starts_with("it is not a valid weir.report/1: missing field `weir_version`")
    );
}

#[test]
fn neither_depth_nor_many_values_exhaust_anything() {
    let depth = 1 << 20;
    for key in ["schema", "command", "other"] {
        let open = [format!("{{\"{key}\":").as_bytes(), &b"[".repeat(depth)].concat();
        let closed = [&open[..], &b"]".repeat(depth), b"}"].concat();
        assert!(from_slice(&open).is_err());
        assert!(from_slice(&closed).is_err());
    }
    let limits = Limits {
        bytes: 1 << 20,
        memory: 1 << 20,
    };
    let whole = serde_json::to_value(with_stacks(1)).expect("JSON");
    let frames = |count: usize| -> serde_json::Value {
        vec![serde_json::json!({"offset": 1}); count].into()
    };
    let many = |place: &str, value: serde_json::Value| {
        let mut whole = whole.clone();
        *whole.pointer_mut(place).expect("a place") = value;
        slice_within(&serde_json::to_vec(&whole).expect("JSON"), limits)
    };
    let function = &whole["functions"]["malloc"];
    let counts = |count: usize| -> serde_json::Map<_, _> {
        (0..count)
            .map(|number| (number.to_string(), function.clone()))
            .collect()
    };
    for (place, few, too_many) in [
        ("/command", vec![""; 1000].into(), vec![""; 20_000].into()),
        (
            "/missed/notes",
            vec!["x"; 1000].into(),
            vec!["x"; 20_000].into(),
        ),
        ("/functions", counts(100).into(), counts(2000).into()),
        ("/processes/0/stacks/frames", frames(1000), frames(20_000)),
    ] {
        assert!(many(place, few).is_ok(), "{place}");
        let refused = many(place, too_many);
        assert!(
            matches!(refused, Err(ReadError::TooMuch)),
            "{place}: {refused:?}"
        );
    }
    // A field that is skipped takes no memory.
    let mut later = whole.clone();
    later["later"] = vec![""; 100_000].into();
    let later = serde_json::to_vec(&later).expect("JSON");
    assert_eq!(
        slice_within(&later, limits).expect("a report"),
        with_stacks(1)
    );
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // A sparse file, which takes no space.
    file.as_file().set_len(MAX_BYTES + 1).expect("a size");
    assert!(matches!(load(file.path()), Err(ReadError::TooLarge)));
    assert_eq!(ReadError::TooLarge.to_string(), "it is larger than 256 MiB");
}

#[test]
fn a_stream_without_end_is_refused() {
    let limits = Limits {
        bytes: 1 << 20,
        memory: 1 << 20,
    };
    assert!(matches!(
        stream_within(io::repeat(b' '), limits),
        Err(ReadError::TooLarge)
    ));
}

#[test]
fn paths_that_are_no_files_are_distinguished() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(
        load(directory.path()).expect_err("refused").to_string(),
        "it is a directory, not a report"
    );
    let missing = directory.path().join("missing");
    assert_eq!(
        load(&missing).expect_err("refused").to_string(),
        "No such file or directory"
    );
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&serde_json::to_vec(&sample()).expect("JSON"))
        .expect("written");
    assert_eq!(load(file.path()).expect("a report"), sample());
}

#[test]
fn damaged_bytes_never_panic() {
    let text = serde_json::to_vec(&with_stacks(3)).expect("JSON");
    let mut refused = 0;
    for index in 0..text.len() {
        for bit in 0..8 {
            let mut damaged = text.clone();
            damaged[index] ^= 1 << bit;
            refused += usize::from(from_slice(&damaged).is_err());
        }
    }
    assert!(refused > text.len(), "most damage is noticed: {refused}");
}

/// As reports were before the first release: `timing` is a text, and the totals have functions that were not called.
#[test]
fn reports_in_their_earlier_form_can_be_read() {
    for (text, one_in) in [("all", 1), ("off", 0), ("1/128", 128)] {
        let mut expected = sample();
        expected.timed_one_in = one_in;
        expected.processes[0].timed_one_in = one_in;
        let mut json = serde_json::to_value(&expected).expect("JSON");
        json["functions"]["lseek"] = serde_json::to_value(Function::default()).expect("JSON");
        for place in ["", "/processes/0"] {
            let object = json.pointer_mut(place).and_then(|of| of.as_object_mut());
            let object = object.expect("an object");
            object.remove("timed_one_in");
            object.insert("timing".to_owned(), text.into());
        }
        assert_eq!(
            from_slice(json.to_string().as_bytes()).expect(text),
            expected
        );
    }
}

#[test]
fn what_does_not_say_which_calls_were_timed_is_refused() {
    for bad in [
        "\"often\"",
        "\"1/\"",
        "\"1/-1\"",
        "-1",
        "4294967296",
        "1.5",
        "null",
        "[]",
    ] {
        let json = serde_json::to_string(&sample()).expect("JSON");
        let json = json.replace("\"timed_one_in\":1", &format!("\"timed_one_in\":{bad}"));
        let read = from_slice(json.as_bytes());
        assert!(matches!(read, Err(ReadError::Invalid(_))), "{bad}");
    }
}
