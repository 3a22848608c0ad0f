//! What processes call themselves, beside the titles that they were asked to set.

use std::process::Command;
use std::time::{Duration, Instant};

use weir_report::model::Process;

use crate::support::{Mode, Outcome, Program, finish, patient, scratch, victim, weir};

fn run(words: &[&str]) -> Outcome {
    let program = Program::new(victim("sets_titles")).args(words);
    program.run(Mode::Run).expect_status(0)
}

/// The titles of the victim's images, in the order of their start.
fn titles(outcome: &Outcome) -> Vec<Option<String>> {
    let images = outcome.processes().into_iter();
    images.map(|image| image.title.clone()).collect()
}

#[test]
fn titles_are_those_that_programs_set() {
    for (words, title) in [
        (
            &["over=server: idle", "sleep=400"][..],
            Some("server: idle"),
        ),
        (&["name=worker 7", "sleep=400"], Some("worker 7")),
        // Who does both means the longer one.
        (
            &["name=idle", "over=server: idle", "sleep=400"],
            Some("server: idle"),
        ),
        // The last one counts, and who takes it back has none.
        (
            &[
                "over=server: one",
                "sleep=400",
                "over=server: two",
                "sleep=400",
            ],
            Some("server: two"),
        ),
        (
            &["name=other", "sleep=400", "name=sets_titles", "sleep=400"],
            None,
        ),
        (&["sleep=400"], None),
    ] {
        assert_eq!(titles(&run(words)), [title.map(str::to_owned)], "{words:?}");
    }
}

/// A forked process has its own title; what it becomes by exec, which Weir may not see, has none of it, and it has none of that.
#[test]
fn a_title_is_of_one_image() {
    let some = |title: &str| Some(title.to_owned());
    let child = [
        "over=the parent",
        "sleep=300",
        "fork",
        "sleep=1",
        "over=a child",
        "sleep=300",
    ];
    let becomes = |how, successor: &'static [&'static str]| {
        let words = [&child[..], &[how], successor].concat();
        titles(&run(&words))
    };
    let both = [some("the parent"), some("a child")];
    for how in ["exec", "exec-unseen"] {
        let found = becomes(how, &["sleep=400"]);
        assert_eq!(found, [&both[..], &[None]].concat(), "{how}");
        let found = becomes(how, &["over=another", "sleep=400"]);
        assert_eq!(found, [&both[..], &[some("another")]].concat(), "{how}");
    }
    // It has had no time to be looked at.
    for how in ["exec", "exec-unseen"] {
        let found = titles(&run(&["sleep=300", how, "over=another", "sleep=400"]));
        assert_eq!(found, [None, some("another")], "{how}");
    }
}

/// A forked process is noted at its first call, with the arguments that it has then.
#[test]
fn what_was_written_before_the_first_call_is_the_command() {
    let outcome = run(&["sleep=100", "fork", "over=a child", "sleep=300"]);
    let [_, child] = outcome.processes()[..] else {
        panic!("{:?}", titles(&outcome));
    };
    assert_eq!(child.command[0], "a child");
    assert_eq!(child.title, None);
}

/// Nobody looks from outside.
#[test]
fn without_weir_run_there_is_no_title() {
    let program = Program::new(victim("sets_titles")).args(["over=server: idle", "sleep=300"]);
    let outcome = program.run(Mode::Bare).expect_status(0);
    assert_eq!(titles(&outcome), [None]);
}

/// A title is text of the program: it can hold anything.
#[test]
fn titles_are_shown_and_command_no_terminal() {
    let folder = scratch();
    let weir = |words: &[&str]| {
        let mut command = Command::new(weir::command());
        let (status, output, errors) = finish(command.args(words).current_dir(folder.path()), b"");
        assert_eq!(String::from_utf8_lossy(&errors), "");
        assert!(status.success());
        String::from_utf8(output).expect("UTF-8")
    };
    let program = victim("sets_titles");
    let program = program.to_str().expect("UTF-8");
    let words = [
        "over=parent: \x1b[31m",
        "sleep=300",
        "fork",
        "name=child\x1b",
        "sleep=300",
    ];
    let run = ["run", "--quiet", "--out", "report.json", "--", program];
    weir(&[&run[..], &words].concat());
    let page = weir(&["report", "--width", "200", "report.json"]);
    assert!(page.contains("parent: \\u{1b}[31m"), "{page}");
    assert!(page.contains("(fork) child\\u{1b}"), "{page}");
    assert!(!page.contains('\x1b'), "{page}");
    let report = weir_report::read::load(&folder.path().join("report.json")).expect("a report");
    let of = |image: &Process| image.title.clone().expect("a title");
    let titles: Vec<String> = report.processes.iter().map(of).collect();
    assert_eq!(titles, ["parent: \x1b[31m", "child\x1b"]);
    let pid = report.processes[1].pid.to_string();
    let one = weir(&["report", "--width", "200", "--process", &pid, "report.json"]);
    let title = one
        .lines()
        .find(|line| line.trim_start().starts_with("title"));
    assert_eq!(
        title.map(|line| line.split_whitespace().collect()),
        Some(vec!["title", "child\\u{1b}"])
    );
}

#[test]
fn a_program_that_runs_is_found_by_its_title() {
    let folder = scratch();
    let mut run = Command::new(weir::command());
    run.args(["run", "--quiet", "--out", "report.json", "--"]);
    run.arg(victim("sets_titles"));
    run.args(["over=found by this: idle", "sleep=100000"]);
    let mut run = run.current_dir(folder.path()).spawn().expect("started");
    let top = || {
        let words = ["top", "--once", "--width", "200", "found by this"];
        let (_, page, _) = finish(Command::new(weir::command()).args(words), b"");
        String::from_utf8(page).expect("UTF-8")
    };
    let patience = patient(Duration::from_secs(20));
    let began = Instant::now();
    let page = loop {
        let page = top();
        if !page.is_empty() || began.elapsed() > patience {
            break page;
        }
    };
    let pid = run.id().cast_signed();
    // SAFETY: sends a signal to a child, which has not been waited for; it passes the signal on.
    unsafe { libc::kill(pid, libc::SIGTERM) };
    run.wait().expect("waited");
    assert!(page.starts_with("found by this: idle · heap"), "{page}");
    let processes = page
        .split("\n\n")
        .find(|section| section.starts_with("Processes"));
    let processes = processes.unwrap_or_else(|| panic!("{page}"));
    assert!(processes.contains("\nfound by this: idle  "), "{processes}");
}
