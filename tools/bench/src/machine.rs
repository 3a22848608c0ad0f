//! Where and when the measurement was made, without a name or a path of the machine.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;

use crate::command::find_program;
use crate::contestant::Contestant;

/// What the figures depend on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Name and version of the C library.
    pub libc: String,
    /// The compiler of the loads.
    pub compiler: String,
    /// The peers, as they name their version.
    pub peers: Vec<String>,
    /// The day, UTC.
    pub date: String,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let peers = Contestant::ALLOCATION_PEERS
            .iter()
            .filter_map(|peer| peer.peer());
        Self {
            cpu: cpu_model(&cpuinfo)
                .unwrap_or("unknown processor")
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned()),
            libc: first_line("getconf", &["GNU_LIBC_VERSION"])
                .unwrap_or_else(|| "unknown C library".into()),
            compiler: first_line("cc", &["--version"]).unwrap_or_else(|| "unknown compiler".into()),
            peers: peers.chain(["valgrind"]).filter_map(version).collect(),
            date: now[..10].to_owned(),
        }
    }

    /// One line: the date and all that the figures depend on.
    pub fn line(&self) -> String {
        let Self {
            cpu,
            cores,
            kernel,
            libc,
            compiler,
            peers,
            date,
        } = self;
        let peers = if peers.is_empty() {
            "none".into()
        } else {
            peers.join(", ")
        };
        format!(
            "{date}; {cpu}, {cores} cores; Linux {kernel}; {libc}; loads by {compiler}; peers: {peers}"
        )
    }
}

/// The load average of the last minute: other work that the measurement shares the machine with.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim())
}

/// `memusage (GNU libc) 2.36` and the like, where the tool is installed.
fn version(tool: &'static str) -> Option<String> {
    find_program(tool)?;
    let line = first_line(tool, &["--version"]).unwrap_or_else(|| tool.to_owned());
    Some(line.replace(" -- version ", " ").replace(" version ", " "))
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = stdout.lines().next()?.trim().trim_end_matches('.');
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_taken_from_cpuinfo() {
        let cpuinfo =
            "processor\t: 0\nmodel\t\t: 17\nmodel name\t: Some CPU @ 3 GHz\nflags : fpu\n";
        assert_eq!(cpu_model(cpuinfo), Some("Some CPU @ 3 GHz"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }

    #[test]
    fn the_line_tells_a_day() {
        let date = Machine::here().date;
        assert_eq!(date.len(), 10);
        assert!(date.starts_with("20"));
    }
}
