//! Several reports in one.

use super::{Groups, add, missed, report, weight};
use crate::model::{End, Part, Process, Report, Timeline, TreePeak};

/// How many images are folded at once.
const BATCH: usize = 128;
/// And how much memory they may take.
const BATCH_BYTES: usize = 32 << 20;
/// How many notes are kept that are about a whole report.
const MOST_NOTES: usize = 64;

/// The sum of reports: of several runs of a program, or of several programs. There is an entry for each executable
/// ([`Process::folded`]), so the memory that it takes does not grow with the number of reports.
#[derive(Debug, Default)]
pub struct Merge {
    first: Option<First>,
    groups: Groups,
    pending: Vec<Process>,
    pending_bytes: usize,
    runs: u64,
    parts: Vec<Part>,
    duration_ns: u64,
    notes: Vec<String>,
}

/// What is not summed: that of the first report that was added, but for the earliest start and the largest peak.
#[derive(Debug)]
struct First {
    command: Vec<String>,
    started_unix_ns: u64,
    started_at: Option<String>,
    end: End,
    timed_one_in: u32,
    tree_peak: Option<TreePeak>,
}

impl Merge {
    /// Adds a report.
    pub fn add(&mut self, of: Report) {
        add(&mut self.runs, of.runs);
        add(&mut self.duration_ns, of.duration_ns);
        self.add_notes(&of);
        match of.processes.first().filter(|_| of.parts.is_empty()) {
            Some(first) => self.parts.push(Part {
                pid: first.pid,
                started_unix_ns: first.started_unix_ns,
            }),
            None => self.parts.extend(&of.parts),
        }
        for mut process in of.processes {
            // Runs have no time in common.
            process.timeline = Timeline::default();
            process.latency_over_time = None;
            self.pending_bytes += weight(&process);
            self.pending.push(process);
        }
        if self.pending.len() >= BATCH || self.pending_bytes >= BATCH_BYTES {
            self.fold();
        }
        let first = self.first.get_or_insert(First {
            command: of.command,
            started_unix_ns: of.started_unix_ns,
            started_at: of.started_at.clone(),
            end: of.end,
            timed_one_in: of.timed_one_in,
            tree_peak: None,
        });
        if of.started_unix_ns < first.started_unix_ns {
            first.started_unix_ns = of.started_unix_ns;
            first.started_at = of.started_at;
        }
        let live = |peak: &Option<TreePeak>| peak.as_ref().map(|peak| peak.live_bytes);
        if live(&of.tree_peak) > live(&first.tree_peak) {
            first.tree_peak = of.tree_peak;
        }
    }

    /// The sum; none of none.
    pub fn finish(mut self) -> Option<Report> {
        self.fold();
        let first = self.first?;
        let mut sum = report(
            self.groups.into_entries().collect(),
            first.end,
            self.duration_ns,
        );
        sum.runs = self.runs;
        sum.parts = self.parts;
        sum.command = first.command;
        sum.timed_one_in = first.timed_one_in;
        sum.started_unix_ns = first.started_unix_ns;
        sum.started_at = first.started_at;
        sum.tree_peak = first.tree_peak;
        sum.missed.notes.extend(self.notes);
        Some(sum)
    }

    fn fold(&mut self) {
        self.pending_bytes = 0;
        self.groups.add(std::mem::take(&mut self.pending));
    }

    /// Keeps the notes that are about no process: those of the processes are summed with them.
    fn add_notes(&mut self, of: &Report) {
        let of_processes = missed(&of.processes).notes;
        for note in &of.missed.notes {
            let is_new = !of_processes.contains(note) && !self.notes.contains(note);
            if is_new && self.notes.len() < MOST_NOTES {
                self.notes.push(note.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Function, Heap, LatencyCell, LatencyOverTime, TimelinePoint};

    fn process(pid: u32, executable: &str, calls: u64) -> Process {
        let json = format!(
            r#"{{"pid": {pid}, "parent_pid": 1, "executable": "{executable}", "command": [], "forked": false,
            "started_unix_ns": {pid}, "duration_ns": 5, "end": {{"how": "exited", "status": 0}}, "timed_one_in": 0, "functions": {{}},
            "heap": {{"live_bytes": 0, "live_blocks": 0, "peak_bytes": 0, "peak_error_bytes": 0, "inherited_bytes": 0,
            "inherited_blocks": 0}}, "threads": [], "timeline": {{"interval_ns": 0, "points": []}}, "slowest": [], "provenance": [],
            "missed": {{"dropped_samples": 0, "reentrant_calls": 0, "untimed_calls": 0, "uncounted_calls": 0, "unlisted_errnos": 0,
            "threads_without_slot": 0, "not_interposed": [], "notes": ["of all"]}},
            "tool": {{"region_bytes": 0, "writer_bytes": 0, "samples": 0, "writer_polls": 0, "writer_cpu_ns": 0}}}}"#
        );
        let mut process: Process = serde_json::from_str(&json).expect("a process");
        let function = Function {
            calls,
            ..Function::default()
        };
        process.functions.insert("read".to_owned(), function);
        process.heap = Heap {
            live_bytes: calls as i64,
            ..Heap::default()
        };
        process
    }

    fn one(pid: u32, executable: &str, calls: u64) -> Report {
        let processes = vec![process(pid, executable, calls)];
        let end = processes[0].end.clone();
        report(processes, end, 10)
    }

    fn merged(reports: impl IntoIterator<Item = Report>) -> Report {
        let mut merge = Merge::default();
        reports.into_iter().for_each(|report| merge.add(report));
        merge.finish().expect("reports")
    }

    /// Their columns are of other times, and may be of another width.
    #[test]
    fn what_is_over_time_is_not_summed() {
        let cells = vec![LatencyCell(1, 2, 3)];
        let mut of_one = process(7, "/a", 5);
        of_one.timeline.points.push(TimelinePoint::default());
        of_one.latency_over_time = Some(Box::new(LatencyOverTime {
            interval_ns: 5,
            activities: [("transfer".to_owned(), cells)].into(),
        }));
        let end = of_one.end.clone();
        let mut merge = Merge::default();
        merge.add(report(vec![of_one], end, 9));
        let sum = merge.finish().expect("a sum");
        assert_eq!(sum.processes.len(), 1);
        assert_eq!(sum.processes[0].latency_over_time, None);
        assert_eq!(sum.processes[0].timeline, Timeline::default());
        assert_eq!(sum.processes[0].stands_for(), 1);
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        assert!(Merge::default().finish().is_none());
    }

    #[test]
    fn a_merge_is_the_sum_in_any_order() {
        let reports =
            || (1..=1000).map(|pid| one(pid, ["a", "b", "c"][pid as usize % 3], u64::from(pid)));
        let sum = merged(reports());
        assert_eq!(
            (sum.runs, sum.duration_ns, sum.started_unix_ns),
            (1000, 10_000, 1)
        );
        assert_eq!(sum.functions["read"].calls, 1000 * 1001 / 2);
        assert_eq!(sum.heap.live_bytes, 1000 * 1001 / 2);
        assert_eq!((sum.processes.len(), sum.folded_processes), (3, 1000));
        assert_eq!(sum.missed.notes, ["of all"]);
        let parts: Vec<Report> = reports().collect();
        let halves = parts
            .rchunks(500)
            .map(|half| merged(half.iter().rev().cloned()));
        let twice = merged(halves);
        assert_eq!((twice.runs, twice.duration_ns), (1000, 10_000));
        let parts = |of: &Report| {
            let mut parts = of.parts.clone();
            parts.sort();
            parts
        };
        assert_eq!((parts(&twice).len(), parts(&twice)), (1000, parts(&sum)));
        assert_eq!(twice.functions, sum.functions);
        assert_eq!(twice.heap, sum.heap);
        for entry in &sum.processes {
            let same = twice
                .processes
                .iter()
                .find(|same| same.executable == entry.executable);
            let same = same.expect("the same executables");
            assert_eq!(
                (&same.functions, &same.heap),
                (&entry.functions, &entry.heap)
            );
            assert_eq!(same.stands_for(), entry.stands_for());
        }
    }

    #[test]
    fn notes_of_a_whole_report_stay_once() {
        let with_note = |pid| {
            let mut report = one(pid, "a", 1);
            report.missed.notes.push("of the recording".to_owned());
            report
        };
        let sum = merged((1..=200).map(with_note));
        assert_eq!(sum.missed.notes, ["of all", "of the recording"]);
    }

    #[test]
    fn the_largest_peak_of_a_tree_stays() {
        let with_peak = |pid, live_bytes| {
            let mut report = one(pid, "a", 1);
            report.tree_peak = Some(TreePeak {
                live_bytes,
                ..TreePeak::default()
            });
            report
        };
        let sum = merged([with_peak(3, 5), with_peak(1, 9), with_peak(2, 7)]);
        assert_eq!(sum.tree_peak.map(|peak| peak.live_bytes), Some(9));
    }
}
