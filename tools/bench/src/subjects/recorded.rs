//! Reports that are made of one recording.

use anyhow::Result;
use weir_report::calendar::Utc;
use weir_report::model::Report;

use crate::bench::Bench;
use crate::command::{scratch, succeed};
use crate::product::report;

/// The report of a shell with three children.
pub fn small(bench: &Bench) -> Result<Report> {
    let folder = scratch()?;
    let script = "cat /etc/passwd | sort | tail -n 3";
    let mut command = bench.product.run(&[], "sh".as_ref(), folder.path());
    succeed(command.args(["-c", script]))?;
    report(folder.path())
}

/// Has a recording start later.
pub fn delay(report: &mut Report, by_ns: u64) {
    let images = report.processes.iter_mut();
    let starts = images.map(|image| (&mut image.started_unix_ns, &mut image.started_at));
    let first = (&mut report.started_unix_ns, &mut report.started_at);
    for (unix_ns, text) in starts.chain([first]) {
        *unix_ns += by_ns;
        *text = Some(Utc::of_unix_ns(*unix_ns).to_string());
    }
}
