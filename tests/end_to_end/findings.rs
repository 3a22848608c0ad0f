//! What a report says is wrong: with a program that has six faults, and with programs that have none.

use std::path::Path;
use std::process::Command;

#[path = "../../tools/weir/tests/command/html/browser.rs"]
#[allow(dead_code, reason = "tests of pages press keys")]
mod browser;

use crate::support::{finish, scratch, succeed, victim, weir};

/// What `weir run` prints of a program, and the first section of `weir report`.
fn said(folder: &Path, program: &[&str]) -> (String, String) {
    let report = folder.join("report.json");
    let mut run = Command::new(weir::command());
    run.args(["run", "--out"]).arg(&report).arg("--");
    let (status, _, summary) = finish(run.args(program).current_dir(folder), b"");
    let summary = String::from_utf8_lossy(&summary).into_owned();
    assert!(status.success(), "{program:?}: {status}\n{summary}");
    let mut show = Command::new(weir::command());
    show.args(["report", "--width", "200"]).arg(&report);
    let page = succeed(&mut show, b"");
    let findings = page
        .split("\n\n")
        .find(|section| section.starts_with("Findings"));
    (summary, findings.unwrap_or_default().to_owned())
}

/// The lines of a summary that begin a finding.
fn findings(summary: &str) -> Vec<&str> {
    let begins = |line: &&str| {
        let severities = ["weir: high ", "weir: medium ", "weir: low "];
        severities.iter().any(|severity| line.starts_with(severity))
    };
    summary.lines().filter(begins).collect()
}

/// A summary without its ends of lines.
fn unwrapped(summary: &str) -> String {
    let words = summary.split_whitespace().filter(|&word| word != "weir:");
    words.collect::<Vec<_>>().join(" ")
}

/// The findings of the page for browsers that are seen before anybody scrolls.
fn first_screen_of_the_page(folder: &Path) -> String {
    let made = Command::new(weir::command())
        .args(["html", "report.json", "-o", "page.html"])
        .current_dir(folder)
        .status()
        .expect("started");
    assert!(made.success());
    let seen = browser::visit("", |browser| {
        browser.go(&format!("file://{}", folder.join("page.html").display()));
        browser.value(
            "new Promise((done) => {
                const look = () => {
                    if (!document.documentElement.dataset.ready) return setTimeout(look, 20);
                    const all = [...document.querySelectorAll('.findings li')];
                    const seen = all.filter((one) => one.getBoundingClientRect().bottom <= innerHeight);
                    done(seen.map((one) => one.textContent).join('\\n'));
                };
                look();
            })",
        )
    });
    seen.as_str().expect("text").to_owned()
}

#[test]
fn each_fault_is_named_with_its_file_or_peer_and_its_place() {
    let folder = scratch();
    let program = victim("six_faults");
    let program = program.to_str().expect("UTF-8");
    let (summary, section) = said(folder.path(), &[program, "."]);
    // The first screen of a small terminal. The lock that is held while the server thinks is reported as both.
    let screen: Vec<&str> = summary.lines().take(24).collect();
    let (screen, section) = (unwrapped(&screen.join(" ")), unwrapped(&section));
    let page = first_screen_of_the_page(folder.path());
    for (fault, about, place) in [
        (
            "memory grows",
            "never freed",
            "remember_request (six_faults.cpp:",
        ),
        (
            "temporary blocks",
            "less than 1 ms",
            "format_key (six_faults.cpp:",
        ),
        ("sync in a loop", "journal.db", "commit (six_faults.cpp:"),
        ("tiny writes", "service.log", "log_line (six_faults.cpp:"),
        (
            "waits for one peer",
            "connection to 127.0.0.1:",
            "ask_server (six_faults.cpp:",
        ),
        (
            "waits for locks",
            "found it taken",
            "use_cache (six_faults.cpp:",
        ),
        ("random reads", "table.db", "look_up (six_faults.cpp:"),
    ] {
        for (name, text) in [("summary", &screen), ("report", &section), ("page", &page)] {
            let found = text.split(fault).nth(1);
            let found = found.unwrap_or_else(|| panic!("no '{fault}' in the {name}: {text}"));
            let found = found.split('→').next().unwrap_or_default();
            assert!(found.contains(about), "{name}, {fault}: {found}");
            assert!(found.contains(place), "{name}, {fault}: {found}");
        }
    }
    assert_eq!(findings(&summary).len(), 7, "{summary}");
}

#[test]
fn the_same_work_without_the_faults_has_no_findings() {
    let folder = scratch();
    let program = victim("six_faults");
    let program = program.to_str().expect("UTF-8");
    let (summary, section) = said(folder.path(), &[program, ".", "healthy"]);
    assert_eq!(findings(&summary), Vec::<&str>::new());
    assert_eq!(section, "");
}

#[test]
fn programs_that_are_well_made_have_no_findings() {
    let folder = scratch();
    let numbers: String = (0..300_000_u64)
        .map(|number| format!("{}\n", number.wrapping_mul(2_654_435_761) % 1_000_003))
        .collect();
    std::fs::write(folder.path().join("numbers"), numbers).expect("written");
    let python =
        "import json, email, unittest; json.loads(json.dumps([{'a': i} for i in range(100000)]))";
    for program in [
        &["sort", "-n", "numbers", "-o", "sorted"][..],
        &["gzip", "-kf", "numbers"],
        &["grep", "-c", "12", "numbers"],
        &["tar", "cf", "archive.tar", "numbers", "sorted"],
        &["find", "/usr/include", "-name", "*.h"],
        &["ls", "-lR", "/usr/include"],
        &["/usr/bin/python3", "-c", python],
        &["gcc", "-xc", "-c", "/dev/null", "-o", "nothing.o"],
        &["sed", "s/1/2/g", "numbers"],
        &["sha256sum", "numbers"],
        &["diff", "-q", "numbers", "numbers"],
    ] {
        let (summary, _) = said(folder.path(), program);
        assert_eq!(findings(&summary), Vec::<&str>::new(), "{program:?}");
    }
}

/// Both wait at futexes, by system calls. Only a lock is a fault; the summary has no word of the thread without work.
#[test]
fn a_lock_of_rust_s_standard_library_is_distinguished_from_a_thread_without_work() {
    let folder = scratch();
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let source = "tests/programs/idle_and_locked.rs";
    let mut compiler = Command::new(rustc);
    compiler
        .args(["--edition", "2024", "-g", "-O", "-o"])
        .arg(folder.path().join("idle_and_locked"))
        .arg(source);
    assert!(compiler.status().expect("rustc").success());
    let (summary, _) = said(folder.path(), &["./idle_and_locked"]);
    let findings = findings(&summary);
    assert_eq!(findings.len(), 1, "{summary}");
    assert!(findings[0].contains("waits for locks"), "{summary}");
    let place = ", in idle_and_locked::use_shared (idle_and_locked.rs:";
    assert!(unwrapped(&summary).contains(place), "{summary}");
}
