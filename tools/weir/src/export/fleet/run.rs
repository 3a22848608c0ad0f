//! A run: what it is known by, and its images.

use std::collections::HashMap;

use parquet::errors::Result;
use weir_report::calendar::Utc;
use weir_report::model::{Part, Process, Report};

use super::hash::Hash;
use super::writer::{Cell, Writer};
use crate::export::columns::Column;
use crate::export::tables;
use crate::text;

/// A report in the data set.
pub struct Run<'a> {
    /// What it is known by: two reports of one recording have the same.
    pub name: String,
    pub report: &'a Report,
    pub images: Vec<Image<'a>>,
}

/// A process image of a run.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// Which of the images of its process it is, from 1.
    pub place: u32,
    pub process: &'a Process,
}

impl<'a> Run<'a> {
    /// The run that a report is of.
    pub fn of(report: &'a Report) -> Run<'a> {
        let mut places: HashMap<u32, u32> = HashMap::new();
        let images = report.processes.iter().map(|process| {
            let place = places.entry(process.pid).or_default();
            *place += 1;
            Image {
                place: *place,
                process,
            }
        });
        Run {
            images: images.collect(),
            name: name(report),
            report,
        }
    }

    /// Where its files are in a table.
    pub fn partition(&self) -> String {
        let Utc {
            year, month, day, ..
        } = Utc::of_unix_ns(self.report.started_unix_ns);
        let service = in_path(self.service());
        format!("day={year:04}-{month:02}-{day:02}/service={service}")
    }

    /// The executable's name, without its path.
    fn service(&self) -> &'a str {
        let name = self.executable().rsplit('/').next();
        name.filter(|name| !name.is_empty()).unwrap_or("unknown")
    }

    fn executable(&self) -> &'a str {
        let first = self.report.processes.first();
        first.map_or("", |first| &first.executable)
    }

    /// What every row of an image begins with.
    pub fn of_image(&self, image: Image<'a>) -> [Cell<'_>; 3] {
        [
            Cell::Text(&self.name),
            image.process.pid.into(),
            image.place.into(),
        ]
    }
}

/// The names of what [`Run::of_image`] returns.
pub const OF_IMAGE: [Column; 3] = [
    Column::text("run"),
    Column::number("pid"),
    Column::number("image"),
];

/// As `weir merge` and `weir diff` know a recording: by its first image; and the sum of several by all of theirs.
fn name(report: &Report) -> String {
    let mut parts = report.parts.clone();
    parts.sort_by_key(|part| (part.started_unix_ns, part.pid));
    let pid = report.processes.first().map_or(0, |first| first.pid);
    let Some(first) = parts.first() else {
        let started = report.processes.first();
        let started = started.map_or(report.started_unix_ns, |first| first.started_unix_ns);
        return format!("{started}-{pid}");
    };
    let mut hash = Hash::new();
    for Part {
        pid,
        started_unix_ns,
    } in &parts
    {
        hash.number((*pid).into());
        hash.number(*started_unix_ns);
    }
    format!(
        "{}-{}-{:016x}",
        first.started_unix_ns,
        first.pid,
        hash.finish()
    )
}

/// Longer ones are cut: a file's name has 255 bytes.
const MOST_BYTES: usize = 200;

/// A value in a path. What may have a meaning there is written as `%` and two hexadecimal digits.
fn in_path(value: &str) -> String {
    let mut path = String::new();
    for character in value.chars() {
        let escaped = match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '+' => character.to_string(),
            _ => {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes).bytes();
                bytes.map(|byte| format!("%{byte:02X}")).collect()
            }
        };
        if path.len() + escaped.len() > MOST_BYTES {
            break;
        }
        path += &escaped;
    }
    path
}

/// The columns of the table of runs.
pub const RUN: [Column; 22] = [
    Column::text("run"),
    Column::text("weir_version"),
    Column::text("executable"),
    Column::text("command"),
    Column::text("started_at"),
    Column::number("started_unix_ns"),
    Column::number("duration_ns"),
    Column::number("runs"),
    Column::number("processes"),
    Column::text("end"),
    Column::number("status").optional(),
    Column::number("signal").optional(),
    Column::number("timed_one_in"),
    Column::number("calls"),
    Column::number("live_bytes"),
    Column::number("live_blocks"),
    Column::number("peak_bytes"),
    Column::number("peak_error_bytes"),
    Column::text("heap_not_known").optional(),
    Column::number("tree_peak_bytes").optional(),
    Column::number("region_bytes"),
    Column::number("writer_cpu_ns"),
];

/// Its one row.
pub fn row(of: &Run<'_>, to: &mut Writer) -> Result<()> {
    let report = of.report;
    let sum = |numbers: &mut dyn Iterator<Item = u64>| numbers.fold(0, u64::saturating_add);
    let command = text::command_line(&report.command);
    let started_at = Utc::of_unix_ns(report.started_unix_ns).to_string();
    let heap = &report.heap;
    to.row([
        Cell::Text(&of.name),
        Cell::Text(&report.weir_version),
        Cell::Text(of.executable()),
        Cell::Text(&command),
        Cell::Text(&started_at),
        report.started_unix_ns.into(),
        report.duration_ns.into(),
        report.runs.into(),
        sum(&mut report.processes.iter().map(Process::stands_for)).into(),
        Cell::Text(tables::how(&report.end)),
        report.end.status.map(i64::from).into(),
        report.end.signal.map(i64::from).into(),
        u64::from(report.timed_one_in).into(),
        sum(&mut report.functions.values().map(|of| of.calls)).into(),
        heap.live_bytes.into(),
        heap.live_blocks.into(),
        heap.peak_bytes.into(),
        heap.peak_error_bytes.into(),
        heap.not_known.as_deref().into(),
        report.tree_peak.as_ref().map(|peak| peak.live_bytes).into(),
        report.tool.region_bytes.into(),
        report.tool.writer_cpu_ns.into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_recording_is_known_by_its_first_image_and_a_sum_by_all_its_parts() {
        let mut report = sample::report();
        let (pid, started) = (report.processes[0].pid, report.processes[0].started_unix_ns);
        assert_eq!(name(&report), format!("{started}-{pid}"));
        report.functions.clear();
        assert_eq!(name(&report), format!("{started}-{pid}"));
        let part = |pid, started_unix_ns| Part {
            pid,
            started_unix_ns,
        };
        let mut of_parts = |parts: &[Part]| {
            report.parts = parts.into();
            name(&report)
        };
        let sum = of_parts(&[part(7, 20), part(9, 10)]);
        assert!(sum.starts_with("10-9-"), "{sum}");
        assert_eq!(of_parts(&[part(9, 10), part(7, 20)]), sum);
        assert_ne!(of_parts(&[part(9, 10), part(8, 20)]), sum);
        assert_ne!(of_parts(&[part(9, 10)]), sum);
    }

    #[test]
    fn images_of_a_process_are_counted() {
        let mut report = sample::report();
        let pid = report.processes[0].pid;
        report.processes[2].pid = pid;
        let run = Run::of(&report);
        let places: Vec<u32> = run.images.iter().map(|image| image.place).collect();
        assert_eq!(places, [1, 1, 2]);
    }

    #[test]
    fn values_in_a_path_have_no_meaning_there() {
        assert_eq!(in_path("g++-12_x.y"), "g++-12_x.y");
        assert_eq!(in_path("a/b =%\n"), "a%2Fb%20%3D%25%0A");
        assert_eq!(in_path("ü"), "%C3%BC");
        let long = in_path(&"ü".repeat(300));
        assert_eq!(
            (long.len(), long.replace("%C3%BC", "")),
            (198, String::new())
        );
    }
}
