//! Whether a process of the program's tree still runs. Only the program itself is weir's child; /proc shows
//! the others (proc_pid_stat(5)).

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, test_kill_process};
use rustix::time::{ClockId, clock_gettime};

use super::namespaces::is_proc_ours;

/// More than the file has: a name, and 51 numbers of at most 20 digits. The kernel gives it in one piece.
pub const MOST_BYTES: usize = 2048;
const SECOND_NS: u64 = 1_000_000_000;

/// What a process is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs, since so many clock ticks after boot: with the pid, its identity.
    Running {
        /// Ticks of sysconf(_SC_CLK_TCK) after boot.
        since: u64,
    },
    /// It has ended, and its parent has not looked yet.
    Ended {
        /// Ticks of sysconf(_SC_CLK_TCK) after boot.
        since: u64,
        /// How, if the kernel shows it.
        status: Option<ExitStatus>,
    },
    /// There is no such process in weir's pid namespace.
    Absent,
}

impl Life {
    /// That of the process with this id.
    pub fn of(pid: u32) -> Life {
        if !is_proc_ours() {
            return Life::without_proc(pid);
        }
        let mut text = [0; MOST_BYTES];
        let stat = read(pid, &mut text);
        stat.and_then(|stat| stat.life()).unwrap_or(Life::Absent)
    }

    /// Where /proc does not show it: whether there is a process with this id.
    fn without_proc(pid: u32) -> Life {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        match pid.map(test_kill_process) {
            None | Some(Err(Errno::SRCH)) => Life::Absent,
            Some(_) => Life::Running { since: 0 },
        }
    }

    /// When the process started, in ticks after boot; 0 where /proc does not show it.
    pub fn since(self) -> Option<u64> {
        match self {
            Life::Running { since } | Life::Ended { since, .. } => Some(since),
            Life::Absent => None,
        }
    }
}

/// What /proc shows of the process with this id at this moment.
pub fn read(pid: u32, text: &mut [u8; MOST_BYTES]) -> Option<Stat<'_>> {
    read_in(&format!("/proc/{pid}"), text)
}

/// What /proc shows of the process, or the thread, of this directory there.
pub fn read_in<'t>(directory: &str, text: &'t mut [u8; MOST_BYTES]) -> Option<Stat<'t>> {
    let mut file = File::open(format!("{directory}/stat")).ok()?;
    let length = file.read(text).ok()?;
    Stat::of(&text[..length])
}

/// The directories in /proc of all threads of a process but its first: where that has ended, only they show the process's memory.
pub fn other_threads(pid: u32) -> impl Iterator<Item = String> {
    let first = pid.to_string();
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let names = threads.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(move |name| *name != first)
        .map(move |name| format!("/proc/{pid}/task/{name}"))
}

/// The fields of /proc/PID/stat behind the program's name.
#[derive(Debug)]
pub struct Stat<'a>(Vec<&'a str>);

impl<'a> Stat<'a> {
    /// Those of the file's text.
    pub fn of(text: &'a [u8]) -> Option<Stat<'a>> {
        // The second field is the program's name in parentheses, and may hold anything.
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let text = std::str::from_utf8(&text[name_end + 1..]).ok()?;
        Some(Stat(text.split_ascii_whitespace().collect()))
    }

    /// A field by the manual's number, which counts from 1.
    fn field(&self, number: usize) -> Option<&'a str> {
        self.0.get(number.checked_sub(3)?).copied()
    }

    /// A field that is a number.
    pub fn number<N: FromStr>(&self, number: usize) -> Option<N> {
        self.field(number)?.parse().ok()
    }

    /// What the process or thread does, by the letter of the manual.
    pub fn state(&self) -> Option<&'a str> {
        self.field(3)
    }

    /// Whether the process runs.
    pub fn life(&self) -> Option<Life> {
        let since = self.number(22)?;
        // The first thread may have ended before the others: that is no end of the process.
        let threads: u64 = self.number(20)?;
        match self.state()? {
            "Z" | "X" if threads <= 1 => {
                // 0 also where weir may not know, so then it says nothing.
                let raw: i32 = self.number(52)?;
                let status = (raw != 0).then(|| ExitStatus::from_raw(raw));
                Some(Life::Ended { since, status })
            }
            _ => Some(Life::Running { since }),
        }
    }
}

/// In ticks after boot, a moment of the monotonic clock, in nanoseconds.
pub fn ticks_at(monotonic_ns: u64) -> u64 {
    let now_ns = ns(ClockId::Monotonic);
    let asleep_ns = ns(ClockId::Boottime).saturating_sub(now_ns);
    let after_boot_ns = monotonic_ns.saturating_add(asleep_ns);
    let ticks =
        u128::from(after_boot_ns) * u128::from(clock_ticks_per_second()) / u128::from(SECOND_NS);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let part = |number| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec)
        .saturating_mul(SECOND_NS)
        .saturating_add(part(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_runs() {
        assert!(matches!(Life::of(std::process::id()), Life::Running { .. }));
    }

    #[test]
    fn a_child_runs_and_ends_and_is_gone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let Life::Running { since } = Life::of(pid) else {
            panic!("{:?}", Life::of(pid));
        };
        child.kill().unwrap();
        let ended = loop {
            match Life::of(pid) {
                Life::Running { .. } => std::thread::yield_now(),
                ended => break ended,
            }
        };
        let status = Some(ExitStatus::from_raw(libc::SIGKILL));
        assert_eq!(ended, Life::Ended { since, status });
        child.wait().unwrap();
        assert_eq!(Life::of(pid), Life::Absent);
    }

    #[test]
    fn names_may_hold_anything() {
        let rest = "1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 777 1 1 1 1 1 1 1 1 1 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9";
        let parse = |text: &[u8]| Stat::of(text).and_then(|stat| stat.life());
        let life = |state| parse(format!("12 (a) Z (\u{fffd}) {state} {rest}\n").as_bytes());
        assert_eq!(life("S"), Some(Life::Running { since: 777 }));
        assert_eq!(
            life("Z"),
            Some(Life::Running { since: 777 }),
            "only its first thread has ended"
        );
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"1 (x"), None);
    }
}
