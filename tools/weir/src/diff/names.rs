//! Names of files and sockets without what differs from run to run: numbers of processes, and of ports that the kernel chose.

use std::collections::HashSet;

use weir_report::model::{FileUse, Report};

/// The ports that Linux gives where a program asks for none (ip(7), ip_local_port_range).
const CHOSEN_PORTS: std::ops::RangeInclusive<u32> = 32_768..=60_999;

/// The smallest process id that is distinguished from other numbers in a name: in containers, processes have numbers as shards and
/// versions have.
const LEAST_PID: u32 = 1000;

/// What is not in the names.
pub struct Names {
    processes: HashSet<u32>,
}

impl Names {
    /// For the names of a report.
    pub fn of(report: &Report) -> Names {
        Names {
            processes: report
                .processes
                .iter()
                .flat_map(|process| [process.pid, process.parent_pid])
                .collect(),
        }
    }

    /// The name of a file or socket, with a star for each such number.
    pub fn of_file(&self, file: &FileUse) -> String {
        let is_port = matches!(file.kind.as_str(), "tcp" | "udp");
        let mut name = String::with_capacity(file.name.len());
        let mut rest = file.name.as_str();
        while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
            let (text, digits) = rest.split_at(start);
            let end = digits.find(|character: char| !character.is_ascii_digit());
            let (digits, after) = digits.split_at(end.unwrap_or(digits.len()));
            name.push_str(text);
            let number: Option<u32> = digits.parse().ok();
            let is_left_out = match is_port {
                true => {
                    text.ends_with(':') && number.is_some_and(|port| CHOSEN_PORTS.contains(&port))
                }
                false => number.is_some_and(|number| {
                    self.processes.contains(&number) && (number >= LEAST_PID || text == "/proc/")
                }),
            };
            name.push_str(if is_left_out { "*" } else { digits });
            rest = after;
        }
        name.push_str(rest);
        name
    }
}
