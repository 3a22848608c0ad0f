//! What a process takes of the machine: its resident memory, its page faults, its CPU time; read from /proc while it
//! runs (proc_pid_stat(5)).

use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use rustix::param::{clock_ticks_per_second, page_size};
use weir_record::clock::Moment;
use weir_report::model::Usage;

use super::life::{self, Life, Stat};

/// What goes by between two readings of a process, by how long one took, for each process that runs: all readings
/// together take at most a hundredth of a processor.
const APART: u64 = 100;
/// How old an image is at its first reading: most processes of a build do not live that long.
const YOUNGEST_NS: u64 = 5_000_000;
/// How soon a process that makes no calls is read again, if nothing has changed: at first, and at last.
const STILL_NS: RangeInclusive<u64> = 5_000_000..=200_000_000;
/// What a reading takes where nothing is known of it yet: 6 µs were measured.
const FIRST_COST_NS: u64 = 10_000;
/// How much is read of the list of a process's mappings, ten thousand lines or so.
const MOST_OF_MAPS: u64 = 1 << 20;
const SECOND_NS: u64 = 1_000_000_000;

/// Reads what one process takes.
///
/// The number of a process is no identity: a process in another pid namespace has another one there, and one that has ended
/// gives it to the next. So the process is the one that has the image's region mapped, which is asked once, and that started when it
/// did, which is in the same line as the numbers.
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    /// When the process started, as in [`Life`].
    since: u64,
    /// When the image did.
    started: Moment,
    region: FileId,
    is_confirmed: bool,
    /// How long a reading takes, about.
    cost_ns: u64,
    /// When the next reading may be, on the monotonic clock.
    due_ns: u64,
    /// How many calls the process had made at the last reading, and what that gave.
    last: Option<(u64, Usage)>,
    /// When a reading is due where no call was made since the last one, and how long after that one.
    still_due_ns: u64,
    still_ns: u64,
}

impl Watch {
    /// For the image that started then, with this file for its region, in the process that has this id and started so many ticks
    /// after boot.
    pub fn new(pid: u32, since: u64, started: Moment, region: FileId) -> Watch {
        Watch {
            pid,
            since,
            started,
            region,
            is_confirmed: false,
            cost_ns: FIRST_COST_NS,
            due_ns: started.monotonic_ns.saturating_add(YOUNGEST_NS),
            last: None,
            still_due_ns: 0,
            still_ns: *STILL_NS.start(),
        }
    }

    /// Whether it is known to be the process: it was when it was first read.
    pub fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// What the process takes now, after so many calls, where so many processes run.
    pub fn read(&mut self, now: Moment, calls: u64, running: usize) -> Reading {
        let now_ns = now.monotonic_ns;
        let is_still = self.last.is_some_and(|(before, _)| before == calls);
        if now_ns < self.due_ns || (is_still && now_ns < self.still_due_ns) {
            return Reading::None;
        }
        self.is_confirmed = self.is_confirmed || self.is_the_one();
        if !self.is_confirmed {
            return Reading::NeverAgain;
        }
        let began = Instant::now();
        let mut text = [0; life::MOST_BYTES];
        let stat = life::read(self.pid, &mut text);
        let since = self.since;
        let stat = stat.filter(|stat| stat.life() == Some(Life::Running { since }));
        let usage = stat.as_ref().map(|stat| usage(stat, self.pid));
        // If weir has to wait for a processor, one reading seems to take a hundred times as long as the others.
        let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.cost_ns = took_ns.clamp(1, self.cost_ns.saturating_mul(2));
        let apart_ns = self.cost_ns.saturating_mul(APART * running as u64);
        self.due_ns = now_ns.saturating_add(apart_ns);
        let usage = match usage {
            None => return Reading::NeverAgain,
            Some(None) => return Reading::None,
            Some(Some(usage)) => usage,
        };
        let (first, last) = STILL_NS.into_inner();
        self.still_ns = match self.last {
            Some((_, before)) if before == usage => (self.still_ns * 2).min(last),
            _ => first,
        };
        self.still_due_ns = now_ns.saturating_add(self.still_ns);
        self.last = Some((calls, usage));
        Reading::Of(usage)
    }

    /// Whether the process is the image's own: it has the region mapped, and did not begin later, as a child that has inherited
    /// the mapping.
    fn is_the_one(&self) -> bool {
        let is_older = self.since <= life::ticks_at(self.started.monotonic_ns);
        is_older && self.region.is_mapped_by(self.pid).unwrap_or(false)
    }
}

/// What a reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The numbers.
    Of(Usage),
    /// Nothing this time: none was due, or the process is about to end and has no memory any more.
    None,
    /// Nothing, nor will there be: it is not the process, or has ended.
    NeverAgain,
}

/// The identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    /// That of the file that is described.
    pub fn of(metadata: &Metadata) -> FileId {
        FileId {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }

    /// Whether a process has mapped it. None where that is not shown: the process is another user's, or has ended.
    pub fn is_mapped_by(self, pid: u32) -> Option<bool> {
        let first = self.is_mapped_in(&format!("/proc/{pid}"));
        first.or_else(|| life::other_threads(pid).find_map(|thread| self.is_mapped_in(&thread)))
    }

    /// The same of a process or thread with this directory in /proc. None also for a thread that has ended.
    fn is_mapped_in(self, directory: &str) -> Option<bool> {
        let maps = File::open(format!("{directory}/maps")).ok()?;
        let mut lines = BufReader::new(maps.take(MOST_OF_MAPS));
        let mut line = Vec::new();
        let mut has_memory = false;
        while lines.read_until(b'\n', &mut line).ok()? > 0 {
            if FileId::mapped(&line) == Some(self) {
                return Some(true);
            }
            has_memory = true;
            line.clear();
        }
        has_memory.then_some(false)
    }

    /// That of a line of /proc/PID/maps (proc_pid_maps(5)).
    fn mapped(line: &[u8]) -> Option<FileId> {
        // Addresses, rights, offset, device, number, name: the last one may hold anything.
        let mut words = line.split(|&byte| byte == b' ').skip(3);
        let (device, number) = (words.next()?, words.next()?);
        let (major, minor) = std::str::from_utf8(device).ok()?.split_once(':')?;
        let part = |digits| u32::from_str_radix(digits, 16).ok();
        Some(FileId {
            device: rustix::fs::makedev(part(major)?, part(minor)?),
            number: std::str::from_utf8(number).ok()?.parse().ok()?,
        })
    }
}

/// The numbers of a process with this id. None where the kernel does not give its memory.
fn usage(stat: &Stat<'_>, pid: u32) -> Option<Usage> {
    let cpu_ns = |ticks: u64| {
        let ns = u128::from(ticks) * u128::from(SECOND_NS) / u128::from(clock_ticks_per_second());
        u64::try_from(ns).unwrap_or(u64::MAX)
    };
    let of_first = resident_pages(stat);
    let pages = of_first.or_else(|| life::other_threads(pid).find_map(|of| pages_in(&of)))?;
    Some(Usage {
        resident_bytes: pages.saturating_mul(page_size() as u64),
        minor_faults: stat.number(10)?,
        major_faults: stat.number(12)?,
        user_ns: cpu_ns(stat.number(14)?),
        system_ns: cpu_ns(stat.number(15)?),
    })
}

/// None of a thread that has ended.
fn resident_pages(stat: &Stat<'_>) -> Option<u64> {
    stat.number(24).filter(|&pages| pages > 0)
}

fn pages_in(directory: &str) -> Option<u64> {
    let mut text = [0; life::MOST_BYTES];
    resident_pages(&life::read_in(directory, &mut text)?)
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::super::moment;
    use super::*;

    const LINE: &str = "S 1 1 1 0 -1 4194304 1234 77 5 3 250 31 9 8 20 0 3 0 777 1048576 42 1 1 1 1 1 1 1 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0";

    fn stat(text: &str) -> Option<Stat<'_>> {
        Stat::of(text.as_bytes())
    }

    #[test]
    fn the_numbers_are_reported_whatever_the_name_is() {
        let tick_ns = SECOND_NS / clock_ticks_per_second();
        let expected = Usage {
            resident_bytes: 42 * page_size() as u64,
            minor_faults: 1234,
            major_faults: 5,
            user_ns: 250 * tick_ns,
            system_ns: 31 * tick_ns,
        };
        for name in ["cat", "a b", ") S 1 2 3 (", "\n", "(((", ")))", "", "\t) R"] {
            let text = format!("12 ({name}) {LINE}\n");
            let stat = stat(&text).expect("a line");
            assert_eq!(usage(&stat, 0), Some(expected), "{name:?}");
            assert_eq!(stat.life(), Some(Life::Running { since: 777 }), "{name:?}");
        }
    }

    #[test]
    fn what_is_not_told_has_no_numbers() {
        let without_memory = LINE.replace(" 42 ", " 0 ");
        let cut = &LINE[..LINE.find(" 1048576").expect("a number")];
        let odd = LINE.replace("1234", "-1");
        for line in [without_memory.as_str(), cut, &odd] {
            let text = format!("12 (cat) {line}\n");
            assert_eq!(
                stat(&text).as_ref().and_then(|stat| usage(stat, 0)),
                None,
                "{line}"
            );
        }
        assert!(stat("").is_none());
        assert!(stat("12 (cat").is_none());
    }

    #[test]
    fn lines_of_mappings_name_files() {
        let file = |text: &str| FileId::mapped(text.as_bytes());
        let of = |device, number| Some(FileId { device, number });
        let mapped = "7f0000001000-7f0000002000 rw-s 00000000 00:1a 77                         /dev/shm/#77 (deleted)\n";
        assert_eq!(file(mapped), of(0x1a, 77));
        let large = "55d0-55d1 r-xp 0003b000 103:05 4294967300 /usr/a b: 00:1a 77\n";
        assert_eq!(
            file(large),
            of(rustix::fs::makedev(0x103, 5), 4_294_967_300)
        );
        for none in ["", "\n", "a b c", "a b c d e", "a b c 0:x 7", "a b c 0:1 x"] {
            assert_eq!(file(none), None, "{none:?}");
        }
    }

    /// A file that this process has mapped, and a watch of this process for it.
    fn mapped() -> (File, Mapping, Watch) {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 20).expect("room");
        let mapping = Mapping::shared(&file).expect("mapped");
        let pid = std::process::id();
        let since = Life::of(pid).since().expect("this process runs");
        let id = FileId::of(&file.metadata().expect("metadata"));
        let mut started = moment::now();
        started.monotonic_ns -= YOUNGEST_NS;
        let watch = Watch::new(pid, since, started, id);
        (file, mapping, watch)
    }

    #[test]
    fn a_process_is_read_when_it_is_due_and_seldom_where_many_run() {
        let (_file, _mapping, mut watch) = mapped();
        let mut now = moment::now();
        now.monotonic_ns = watch.due_ns - 1;
        assert_eq!(watch.read(now, 0, 1), Reading::None);
        for (calls, running) in [(1, 1), (2, 1000)] {
            now.monotonic_ns = watch.due_ns;
            let Reading::Of(usage) = watch.read(now, calls, running) else {
                panic!("{watch:?}");
            };
            assert!(usage.resident_bytes > 1 << 20, "{usage:?}");
            assert!(usage.minor_faults > 100, "{usage:?}");
            let apart_ns = watch.due_ns - now.monotonic_ns;
            // A reading takes more than a microsecond.
            assert!(apart_ns > APART * running as u64 * 1000, "{apart_ns}");
            assert_eq!(watch.read(now, calls + 1, running), Reading::None);
        }
    }

    #[test]
    fn who_does_nothing_is_read_less_often() {
        let (_file, _mapping, mut watch) = mapped();
        let mut child = std::process::Command::new("sleep");
        let mut child = child.arg("600").spawn().expect("started");
        watch.pid = child.id();
        watch.since = Life::of(watch.pid).since().expect("a child");
        watch.is_confirmed = true;
        // It may still start.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let mut now = moment::now();
        let mut readings = |calls_per_ms: u64| {
            let count = (0..2000).filter(|ms| {
                now.monotonic_ns += 1_000_000;
                matches!(watch.read(now, ms * calls_per_ms, 1), Reading::Of(_))
            });
            count.count()
        };
        let (still, calling) = (readings(0), readings(1));
        child.kill().expect("it runs");
        child.wait().expect("waited");
        assert!((12..=17).contains(&still), "{still}");
        assert!(calling > 100, "{calling}");
    }

    #[test]
    fn a_stranger_is_never_read() {
        let reads = |change: &dyn Fn(&mut Watch)| {
            let (_file, _mapping, mut watch) = mapped();
            change(&mut watch);
            watch.read(moment::now(), 1, 1)
        };
        let own = reads(&|_| ());
        assert!(matches!(own, Reading::Of(_)), "{own:?}");
        let changes: [&dyn Fn(&mut Watch); 5] = [
            // The first process has not mapped the file.
            &|watch| (watch.pid, watch.since) = (1, Life::of(1).since().unwrap_or(0)),
            &|watch| watch.region.number += 1,
            &|watch| watch.region.device += 1,
            // Another process has the id by now.
            &|watch| watch.since -= 1,
            // It began after the image did.
            &|watch| watch.started.monotonic_ns = 0,
        ];
        for (number, change) in changes.iter().enumerate() {
            assert_eq!(reads(change), Reading::NeverAgain, "{number}");
        }
    }

    #[test]
    fn who_has_ended_is_not_read() {
        let (_file, _mapping, mut watch) = mapped();
        let mut child = std::process::Command::new("true").spawn().expect("started");
        watch.pid = child.id();
        watch.since = Life::of(watch.pid).since().expect("a child");
        watch.is_confirmed = true;
        while matches!(Life::of(watch.pid), Life::Running { .. }) {
            std::thread::yield_now();
        }
        assert_eq!(watch.read(moment::now(), 1, 1), Reading::NeverAgain);
        child.wait().expect("waited");
    }
}
