//! What was run, when, and how it ended.

use weir_report::model::Report;

use super::page::Page;
use super::subject::{Subject, ending};
use crate::{text, units};

pub fn show(page: &mut Page, report: &Report, subject: &Subject<'_>) {
    let name = match subject.command.first() {
        Some(program) => text::printable(text::file_name(program)).into_owned(),
        None => "(no command)".to_owned(),
    };
    let process = match subject.processes.as_slice() {
        [only] if only.folded.is_none() => format!("process {}", only.pid),
        _ => text::counted(subject.count(), "process", "processes"),
    };
    page.heading(&text::cut(&name, page.room()), &process);

    let command = match subject.runs {
        1 => "command",
        _ => "first",
    };
    let mut pairs = vec![(command, text::command_line(subject.command))];
    if let ([process], true) = (subject.processes.as_slice(), subject.is_image) {
        let parent = process.parent_pid;
        let origin = if process.forked {
            "forked by"
        } else {
            "executed, child of"
        };
        pairs.push((
            "executable",
            text::printable(&process.executable).into_owned(),
        ));
        pairs.push(("origin", format!("{origin} process {parent}")));
    }
    if let [process] = subject.processes.as_slice()
        && let Some(title) = &process.title
    {
        pairs.push(("title", text::printable(title).into_owned()));
    }
    pairs.push(("started", units::moment(subject.started_unix_ns)));
    let ran = units::time(subject.duration_ns);
    pairs.push((
        "ran",
        match subject.runs {
            runs if runs > 1 => {
                format!("{} times, {ran} together", units::count(runs))
            }
            _ => format!("{ran}, {}", ending(subject.end)),
        },
    ));
    pairs.push(("timed", timed(report.timed_one_in)));
    pairs.push(("weir", text::printable(&report.weir_version).into_owned()));
    page.pairs(&pairs);
}

fn timed(one_in: u32) -> String {
    match one_in {
        0 => "no call".to_owned(),
        1 => "every call".to_owned(),
        calls => format!("every I/O call, one allocation call in {calls}"),
    }
}
