//! `weir check`: a program's budget, from its run to the exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use weir_record::escape::is_escaped;

use super::run::Place;
use super::{refusal, sample, text, weir};

/// 300 reads, and as many writes of one byte each to `out`.
const DD: [&str; 6] = [
    "dd",
    "if=/dev/zero",
    "of=out",
    "bs=1",
    "count=300",
    "status=none",
];

fn check(place: &Place, budget: &str, options: &[&str], program: &[&str]) -> Output {
    fs::write(place.file("weir.toml"), budget).expect("written");
    let line = ["check"].iter().chain(options);
    let mut command = match program {
        [] => weir(line),
        program => weir(line.chain(&["--"]).chain(program)),
    };
    command.env("COLUMNS", "100");
    place.settle(command).output().expect("ended")
}

fn recorded(place: &Place) {
    let output = place
        .run(&["--stacks", "all"], &DD)
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

fn limits(of: &[(&str, &str)]) -> String {
    let limit =
        |(metric, rest): &(&str, &str)| format!("[[limit]]\nmetric = \"{metric}\"\n{rest}\n");
    of.iter().map(limit).collect()
}

#[test]
fn the_exit_code_says_whether_a_program_keeps_its_budget() {
    let place = Place::new();
    let writes = |max: u32| {
        let rest = format!("file = \"*/out\"\nmax = {max}");
        limits(&[("files.writes", rest.as_str())])
    };
    for (max, code, word) in [(300, 0, "kept"), (299, 1, "broken")] {
        let output = check(&place, &writes(max), &[], &DD);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
        let page = text(&output.stdout);
        let line = page.lines().find(|line| line.contains("files.writes"));
        let line = line.expect("the limit has a line");
        assert!(line.trim_start().starts_with(word), "{page}");
        assert!(line.contains("300"), "{page}");
    }
    let never_called = limits(&[("functions.fsync.latency.p99", "max = \"1s\"")]);
    let output = check(&place, &(never_called + &writes(300)), &[], &DD);
    assert_eq!(output.status.code(), Some(125));
    assert!(text(&output.stdout).contains("fsync was not called"));
}

#[test]
fn a_percentile_needs_enough_calls_and_more_than_chance() {
    let place = Place::new();
    recorded(&place);
    let report = place.report();
    let p50 = report.functions["write"]
        .latency
        .as_ref()
        .expect("timed")
        .p50_ns;
    let calls = report.functions["write"]
        .latency
        .as_ref()
        .map_or(0, |of| of.timed);
    let limit = |max: u64, samples: u64| {
        let rest = format!("max = \"{max}ns\"\nmin_samples = {samples}");
        limits(&[("functions.write.latency.p50", rest.as_str())])
    };
    for (max, samples, code) in [
        (p50, calls, 0),
        (p50, calls + 1, 125),
        (1, calls, 1),
        // Half of the calls took longer than the median, which is no news.
        (p50 - 1 - p50 / 64, calls, 125),
    ] {
        let output = check(&place, &limit(max, samples), &["report.json"], &[]);
        let page = text(&output.stdout);
        // Where many calls took equally long, even a little less is too little for more than half of them.
        let is_right = output.status.code() == Some(code)
            || (max + 1 + p50 / 64 == p50 && output.status.code() == Some(1));
        assert!(is_right, "{max} {samples}: {page}");
    }
}

/// What grew since the baseline is named, and where.
#[test]
fn a_broken_limit_names_what_grew() {
    let place = Place::new();
    recorded(&place);
    fs::rename(place.file("report.json"), place.file("before.json")).expect("renamed");
    let mut more = DD;
    more[4] = "count=400";
    let output = place
        .run(&["--stacks", "all"], &more)
        .output()
        .expect("ended");
    assert_eq!(output.status.code(), Some(0));
    let budget = limits(&[
        ("functions.write.calls", "increase = \"10%\""),
        ("writes", "per = \"file\"\nincrease = \"10%\""),
        (
            "moved_bytes",
            "per = \"site\"\nmax = \"399B\"\nignore = [\"_IO_file\"]",
        ),
        ("functions.mmap.calls", "increase = \"10%\""),
    ]);
    let line = ["report.json", "--baseline", "before.json"];
    let output = check(&place, &budget, &line, &[]);
    let page = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{page}");
    let has = |part: &str| assert!(page.contains(part), "{part}: {page}");
    has("4 limits, 3 broken");
    has("- 100: write by ");
    has("- 400: ");
    has("/out");
    has("- 400 B: write by ");
    let output = check(
        &place,
        &budget,
        &["before.json", "--baseline", "before.json"],
        &[],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn ci_gets_the_result_in_its_own_forms() {
    let place = Place::new();
    recorded(&place);
    let budget = "# limits\n".to_owned()
        + &limits(&[
            ("functions.write.calls", "max = 3"),
            ("functions.fsync.latency.p99", "max = \"1s\""),
            ("functions.mmap.calls", "max = 100000"),
        ]);
    fs::write(place.file("weir.toml"), &budget).expect("written");
    fs::write(place.file("summary.md"), "before\n").expect("written");
    let line = [
        "check",
        "report.json",
        "--format",
        "github",
        "--junit",
        "weir.xml",
    ];
    let mut command = place.settle(weir(line));
    command.env("GITHUB_STEP_SUMMARY", place.file("summary.md"));
    let output = command.output().expect("ended");
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    let annotations: Vec<&str> = printed
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    assert_eq!(annotations.len(), 2, "{printed}");
    assert!(
        annotations[0].starts_with(
            "::error file=weir.toml,line=2,title=Weir budget::functions.write.calls is 3"
        ),
        "{printed}"
    );
    assert!(annotations[1].contains(",line=5,"), "{printed}");
    let summary = fs::read_to_string(place.file("summary.md")).expect("written");
    assert!(summary.starts_with("before\n### Weir: "), "{summary}");
    assert_eq!(
        summary
            .lines()
            .filter(|line| line.starts_with("| **"))
            .count(),
        2,
        "{summary}"
    );

    // A parser that is not ours counts what is in the XML.
    let python = "
import sys, xml.etree.ElementTree as tree
suite = tree.parse('weir.xml').getroot().find('testsuite')
print(*[suite.get(name) for name in ('tests', 'failures', 'errors')])
for case in suite: print(case.get('name'), *[child.tag for child in case])
";
    let mut python3 = Command::new("python3");
    let read = python3
        .args(["-c", python])
        .current_dir(place.path())
        .output();
    let read = text(&read.expect("python3 started").stdout);
    assert_eq!(
        read,
        "3 1 1\nfunctions.write.calls failure\nfunctions.fsync.latency.p99 error\nfunctions.mmap.calls\n"
    );
}

/// A process can call itself anything.
#[test]
fn what_ci_gets_is_no_command_for_a_terminal() {
    let place = Place::new();
    let mut report = sample::report();
    report.processes[0].title = Some("idle\u{1b}[31m\n::error::\u{202e}x".to_owned());
    let json = serde_json::to_vec(&report).expect("JSON");
    fs::write(place.file("report.json"), json).expect("written");
    let budget = limits(&[("functions.read.calls", "max = 0\nper = \"process\"")]);
    fs::write(place.file("weir.toml"), budget).expect("written");
    let github = ["--format", "github", "--junit", "weir.xml"];
    let line = ["check", "report.json"].iter().chain(&github);
    let mut command = place.settle(weir(line));
    command.env("GITHUB_STEP_SUMMARY", place.file("summary.md"));
    let printed = text(&command.output().expect("ended").stdout);
    let written = |name: &str| fs::read_to_string(place.file(name)).expect("written");
    for (form, escape) in [
        (printed, "(idle\\u{1b}[31m\\n::error::\\u{202e}x)"),
        (
            written("summary.md"),
            "(idle\\\\u{1b}\\[31m ::error::\\\\u{202e}x)",
        ),
        (
            written("weir.xml"),
            "(idle\\u{1b}[31m\\n::error::\\u{202e}x)",
        ),
    ] {
        assert!(form.contains(escape), "{form}");
        let is_harmless = |letter: char| letter == '\n' || !is_escaped(letter);
        assert!(form.chars().all(is_harmless), "{form:?}");
    }
}

/// The numbers as a parser reads them that is not ours: that of Prometheus's client.
#[test]
fn gitlab_gets_numbers_that_another_parser_reads() {
    let place = Place::new();
    recorded(&place);
    let budget = limits(&[
        ("functions.write.calls", "max = 299"),
        ("files.writes", "file = \"*/\\\"out\"\nmax = 5"),
        ("files.writes", "file = \"*/out\"\nmax = 300"),
        ("files.writes", "file = \"*/out\"\nmax = 400"),
        ("functions.fsync.latency.p99", "max = \"1500ms\""),
    ]);
    fs::write(place.file("weir.toml"), budget).expect("written");
    let line = ["check", "report.json", "--openmetrics", "metrics.txt"];
    let output = place.settle(weir(line)).output().expect("ended");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let python = "
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
for family in families(open('metrics.txt').read()):
    for sample in family.samples:
        labels = sample.labels
        print(sample.name, labels['metric'], labels.get('file'), labels.get('number'), sample.value)
";
    let mut python3 = Command::new("/usr/bin/python3");
    let read = python3
        .args(["-c", python])
        .current_dir(place.path())
        .output()
        .expect("python3 started");
    assert!(read.status.success(), "{}", text(&read.stderr));
    let expected = r#"weir_value functions.write.calls None None 300
weir_value files.writes */"out None 0
weir_value files.writes */out None 300
weir_value files.writes */out 2 300
weir_limit functions.write.calls None None 299
weir_limit files.writes */"out None 5
weir_limit files.writes */out None 300
weir_limit files.writes */out 2 400
weir_limit functions.fsync.latency.p99 None None 1.5
weir_kept functions.write.calls None None 0
weir_kept files.writes */"out None 1
weir_kept files.writes */out None 1
weir_kept files.writes */out 2 1
weir_kept functions.fsync.latency.p99 None None nan
"#;
    assert_eq!(text(&read.stdout), expected);
}

#[test]
fn an_update_lowers_the_limits_that_are_kept_and_keeps_the_rest() {
    let place = Place::new();
    recorded(&place);
    let budget = r#"# Agreed on in spring.
[[limit]]
metric = "functions.write.calls"
max = 1_000  # plenty

[[limit]]
metric = "functions.write.moved_bytes"
max = "4KiB"

[[limit]]
metric = "functions.read.calls"
max = 12 # broken

[[limit]]
metric = "duration"
max = "10min"
"#;
    let file = place.file("weir.toml");
    fs::write(&file, budget).expect("written");
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(&file, mode).expect("a file of ours");
    let update = || {
        let line = ["check", "report.json", "--update"];
        place.settle(weir(line)).output().expect("ended")
    };
    let output = update();
    // The broken limit is not raised, and the exit code says so.
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let lowered = budget
        .replace("1_000  # plenty", "300  # plenty")
        .replace("\"4KiB\"", "\"0.3KiB\"");
    assert_eq!(fs::read_to_string(&file).expect("a file"), lowered);
    assert_eq!(
        text(&output.stderr),
        "weir: weir.toml: functions.write.calls lowered from 1_000 to 300\n\
         weir: weir.toml: functions.write.moved_bytes lowered from \"4KiB\" to \"0.3KiB\"\n"
    );
    let permissions = fs::metadata(&file).expect("a file").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o640);
    // There is nothing more to lower.
    let output = update();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), String::new())
    );
    assert_eq!(fs::read_to_string(&file).expect("a file"), lowered);
}

#[test]
fn what_cannot_be_checked_is_refused_in_a_line() {
    let place = Place::new();
    let good = limits(&[("duration", "max = \"1min\"")]);
    for (budget, options, program, code, part) in [
        (good.as_str(), &[][..], &[][..], 2, "nothing to check"),
        (&good, &["none.json"], &[], 125, "cannot read none.json"),
        (
            &good,
            &["none.json", "--stacks", "all"],
            &[],
            2,
            "--stacks is for a program",
        ),
        (
            "[default]\nfunctions.read.errors_by_errno.EFOO = 0",
            &[],
            &["true"],
            125,
            "there is no metric 'functions.read.errors_by_errno.EFOO'",
        ),
        (
            &good,
            &["--budget", "none.toml"],
            &["true"],
            125,
            "cannot read none.toml",
        ),
        (
            &good,
            &["--baseline", "none.json"],
            &["true"],
            125,
            "cannot read none.json",
        ),
        (
            &good,
            &[],
            &["sh", "-c", "exit 3"],
            125,
            "sh exited with status 3",
        ),
        (
            &good,
            &[],
            &["sh", "-c", "kill -9 $$"],
            125,
            "sh was ended by signal 9",
        ),
        (&good, &[], &["./none"], 127, "./none"),
        ("[[limit]", &[], &["true"], 125, "weir.toml, line 1: "),
        (
            "[default]\n\nduratoin = \"1s\"",
            &[],
            &["true"],
            125,
            "line 3: there is no metric 'duratoin'",
        ),
        (
            "[default]\nduration = \"1 fortnight\"",
            &[],
            &["true"],
            125,
            "line 2: 1 fortnight",
        ),
    ] {
        let output = check(&place, budget, options, program);
        let (found, line) = refusal(&output);
        assert_eq!(found, code, "{line}");
        assert!(line.contains(part), "{line}");
    }
    // Nothing was run where the budget is no good.
    let output = check(&place, "limit = 1", &[], &["touch", "made"]);
    refusal(&output);
    assert!(!place.file("made").exists());
}

#[test]
fn the_report_of_a_program_is_kept_where_that_is_asked_for() {
    let place = Place::new();
    let budget = limits(&[("duration", "max = \"1min\"")]);
    let output = check(
        &place,
        &budget,
        &["--out", "report.json", "--stacks", "off"],
        &DD,
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = place.report();
    assert!(report.functions["write"].calls >= 300);
    assert!(
        report
            .processes
            .iter()
            .all(|process| process.stacks.is_none())
    );
}
