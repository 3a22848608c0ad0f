//! What a page is about.

use std::collections::BTreeMap;

use weir_report::model::{
    Activity, Coroutines, End, EndKind, Files, Function, Heap, Missed, Process, Report, SlowCall,
    Tool, TreePeak,
};

use crate::text;

/// The whole recording, or one process image of it: both have the same sections.
pub struct Subject<'a> {
    pub command: &'a [String],
    pub started_unix_ns: u64,
    pub duration_ns: u64,
    /// Of how many runs it is the sum.
    pub runs: u64,
    pub end: &'a End,
    pub functions: &'a BTreeMap<String, Function>,
    pub heap: &'a Heap,
    pub tree_peak: Option<&'a TreePeak>,
    pub activities: &'a BTreeMap<String, Activity>,
    pub files: &'a Files,
    pub coroutines: Option<&'a Coroutines>,
    pub slowest: &'a [SlowCall],
    pub longest_waits: &'a [SlowCall],
    pub processes: Vec<&'a Process>,
    pub missed: &'a Missed,
    pub tool: &'a Tool,
    /// Whether it is one image out of a report.
    pub is_image: bool,
}

impl<'a> Subject<'a> {
    /// All that was recorded.
    pub fn whole(report: &'a Report) -> Subject<'a> {
        Subject {
            command: &report.command,
            started_unix_ns: report.started_unix_ns,
            duration_ns: report.duration_ns,
            runs: report.runs,
            end: &report.end,
            functions: &report.functions,
            heap: &report.heap,
            tree_peak: report.tree_peak.as_ref(),
            activities: &report.activities,
            files: &report.files,
            coroutines: report.coroutines.as_ref(),
            slowest: &report.slowest,
            longest_waits: &report.longest_waits,
            processes: report.processes.iter().collect(),
            missed: &report.missed,
            tool: &report.tool,
            is_image: false,
        }
    }

    /// One process image.
    pub fn image(process: &'a Process) -> Subject<'a> {
        Subject {
            command: &process.command,
            started_unix_ns: process.started_unix_ns,
            duration_ns: process.duration_ns,
            runs: 1,
            end: &process.end,
            functions: &process.functions,
            heap: &process.heap,
            tree_peak: None,
            activities: &process.activities,
            files: &process.files,
            coroutines: process.coroutines.as_ref(),
            slowest: &process.slowest,
            longest_waits: &process.longest_waits,
            processes: vec![process],
            missed: &process.missed,
            tool: &process.tool,
            is_image: true,
        }
    }

    /// Whether sections have to say which process they speak of.
    pub fn has_many_processes(&self) -> bool {
        self.count() > 1
    }

    /// How many process images it is about.
    pub fn count(&self) -> u64 {
        let counts = self.processes.iter().map(|process| process.stands_for());
        counts.fold(0, u64::saturating_add)
    }
}

/// What a process is called: by its title, or else by the file of its executable.
pub fn name(process: &Process) -> &str {
    match &process.title {
        Some(title) => title,
        None => text::file_name(&process.executable),
    }
}

/// How a process ended, as the predicate of a sentence.
pub fn ending(end: &End) -> String {
    match (end.how, end.status, end.signal) {
        (EndKind::Running, ..) => "still running".to_owned(),
        (EndKind::Exec, ..) => "replaced itself by exec".to_owned(),
        (EndKind::Exited, Some(status), _) => format!("exited with status {status}"),
        (EndKind::Exited, None, _) => "exited".to_owned(),
        (EndKind::Signaled, _, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("ended by signal {signal} ({name})"),
            None => format!("ended by signal {signal}"),
        },
        (EndKind::Signaled, _, None) => "ended by a signal".to_owned(),
        (EndKind::Unknown, ..) => "ended, it is not known how".to_owned(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_a_predicate() {
        let end = |how, status, signal| {
            ending(&End {
                how,
                status,
                signal,
            })
        };
        assert_eq!(end(EndKind::Exited, Some(3), None), "exited with status 3");
        assert_eq!(end(EndKind::Exited, None, None), "exited");
        assert_eq!(
            end(EndKind::Signaled, None, Some(11)),
            "ended by signal 11 (SIGSEGV)"
        );
        assert_eq!(end(EndKind::Signaled, None, Some(40)), "ended by signal 40");
        assert_eq!(
            end(EndKind::Unknown, None, None),
            "ended, it is not known how"
        );
    }
}
