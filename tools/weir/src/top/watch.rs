//! The processes that are watched: copies of their regions, and what changed between two looks.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use weir_record::region::{Header, Phase};
use weir_report::live::{Recent, Seen};
use weir_report::model::Process;
use weir_report::writer::Writer;

use super::target::{Known, Target};
use crate::failure::Failure;
use crate::recover::{Copied, lying};
use crate::report::measure::CallSums;
use crate::run::{ending, life, moment, namespaces};
use crate::{text, units};

/// Finds the regions that are to be looked at. Those that no process uses are left out then.
pub type Find = Box<dyn Fn() -> Vec<PathBuf>>;

/// The processes.
pub struct Watch {
    target: Target,
    find: Find,
    images: HashMap<PathBuf, Image>,
    /// Those that are meant, in the order of their start.
    pub shown: Vec<Shown>,
    /// The latencies of their calls since the look before.
    pub recent: Recent,
    /// How many regions could not be read in the last look, and why the first of them.
    unread: Option<(u64, String)>,
    /// Whether any has been seen.
    has_seen: bool,
}

/// An image, as it was seen last.
struct Image {
    seen: Seen,
    process: Process,
}

/// An image now, and before.
pub struct Shown {
    pub process: Process,
    /// None where it was not there before: then all that it did is new.
    pub before: Option<Process>,
}

impl Shown {
    /// Between the looks, in seconds.
    pub fn seconds(&self) -> f64 {
        let before = self.before.as_ref().map_or(0, |of| of.duration_ns);
        let ns = self.process.duration_ns.saturating_sub(before);
        (ns as f64 / 1e9).max(1e-3)
    }
}

impl Watch {
    /// Those that are meant among those whose regions `find` finds.
    pub fn new(target: Target, find: Find) -> Watch {
        Watch {
            target,
            find,
            images: HashMap::new(),
            shown: Vec::new(),
            recent: Recent::default(),
            unread: None,
            has_seen: false,
        }
    }

    /// Looks at all of them; false if there is none.
    pub fn look(&mut self) -> bool {
        let (mut copies, mut unread) = (Vec::new(), None);
        let elsewhere = OnceCell::new();
        for path in (self.find)() {
            let Some(pid) = lying::user(&path, &elsewhere) else {
                // It lies there for weir recover.
                continue;
            };
            match Copied::of(&path) {
                Ok(copied) => copies.push((path, copied, pid)),
                Err(failure) => {
                    let (number, _) = unread.get_or_insert((0, failure.in_one_line()));
                    *number += 1;
                }
            }
        }
        self.unread = unread;
        let known: Vec<Known> = copies
            .iter()
            .map(|(_, copied, pid)| known(copied, *pid))
            .collect();
        let chosen = self.target.chosen(&known);

        let now = moment::now();
        let mut before = std::mem::take(&mut self.images);
        self.recent = Recent::default();
        self.shown.clear();
        let chosen = copies.into_iter().zip(known).zip(chosen);
        for (((path, copied, _), known), _) in chosen.filter(|(_, chosen)| *chosen) {
            let Ok(region) = copied.region() else {
                continue;
            };
            if region.header.phase() != Phase::Running {
                continue;
            }
            let (mut seen, before) = match before.remove(&path) {
                Some(image) => (image.seen, Some(image.process)),
                None => (Seen::default(), None),
            };
            // By the clock of the region.
            let now = now.shifted(-namespaces::clock_shift_ns(region.header, None));
            seen.look(region, now, &mut self.recent);
            let mut process = Writer::new(region).process(now, ending::running());
            crate::sites::name_made_code(&mut process);
            if process.pid == known.pid {
                rename_threads(&mut process);
            }
            (process.pid, process.parent_pid) = (known.pid, known.parent_pid);
            self.shown.push(Shown {
                process: process.clone(),
                before,
            });
            self.images.insert(path, Image { seen, process });
        }
        self.shown
            .sort_by_key(|of| (of.process.started_unix_ns, of.process.pid));
        self.has_seen |= !self.shown.is_empty();
        !self.shown.is_empty()
    }

    /// Whether any process has been seen.
    pub fn has_seen(&self) -> bool {
        self.has_seen
    }

    /// Why there is nothing to see, and what to do.
    pub fn nothing(&self) -> Failure {
        let what = match &self.target {
            Target::All => "no process".to_owned(),
            Target::Pid(pid) => format!("process {pid} does not run, or not"),
            Target::Name(name) => format!("no process of {}", text::printable(name)),
        };
        let message = match &self.target {
            Target::Pid(_) => format!("{what} under Weir"),
            _ => format!("{what} runs under Weir"),
        };
        let failure = Failure::of_weir(message);
        match &self.unread {
            Some((_, why)) => failure.with_remedy(format!("a region could not be read: {why}")),
            None => failure.with_remedy(
                "start it with weir run; set WEIR_REGION_DIR as it was there; other users' processes are root's to see",
            ),
        }
    }

    /// What all of them do for each second, or did since their start, in a line.
    pub fn headline(&self, is_whole: bool) -> String {
        let name = self.shown.first().map_or("–", |of| {
            text::file_name(of.process.command.first().unwrap_or(&of.process.executable))
        });
        let mut parts = vec![match self.shown.len() {
            0 if !self.has_seen => "no process yet".to_owned(),
            0 => "all processes have ended".to_owned(),
            1 => text::printable(name).into_owned(),
            many => format!(
                "{} and {} more",
                text::printable(name),
                text::counted(many as u64 - 1, "process", "processes")
            ),
        }];
        let known = self
            .shown
            .iter()
            .filter(|of| of.process.heap.not_known.is_none());
        let live = known.map(|of| of.process.heap.live_bytes);
        let live = live.fold(0, i64::saturating_add);
        parts.push(format!("heap {}", units::signed_bytes(live)));
        let mut sums = [0.0; 3];
        for of in &self.shown {
            let now = of_totals(&of.process);
            let before = of.before.as_ref().filter(|_| !is_whole);
            let before = before.map(of_totals).unwrap_or_default();
            let seconds = if is_whole { 1.0 } else { of.seconds() };
            for ((sum, now), before) in sums.iter_mut().zip(now).zip(before) {
                *sum += now.saturating_sub(before) as f64 / seconds;
            }
        }
        let [verbs, each] = match is_whole {
            true => [["allocated", "read", "wrote"], [""; 3]],
            false => [["allocates", "reads", "writes"], ["/s"; 3]],
        };
        for ((verb, sum), each) in verbs.iter().zip(sums).zip(each) {
            parts.push(format!("{verb} {}{each}", units::bytes(sum as u64)));
        }
        if let Some((number, _)) = self.unread {
            parts.push(format!(
                "{} could not be read",
                text::counted(number, "region", "regions")
            ));
        }
        parts.join(" · ")
    }
}

/// Bytes that were asked for, read and written.
fn of_totals(process: &Process) -> [u64; 3] {
    let totals = CallSums::of(&process.functions);
    [
        totals.allocated_bytes,
        totals.read_bytes,
        totals.written_bytes,
    ]
}

/// Gives threads the names that they have now: the region has those that they had at their first call.
fn rename_threads(process: &mut Process) {
    let pid = process.pid;
    for thread in process.threads.iter_mut().filter(|of| of.running) {
        let name = std::fs::read(format!("/proc/{pid}/task/{}/comm", thread.tid));
        if let Ok(name) = name {
            let name = name.strip_suffix(b"\n").unwrap_or(&name);
            thread.name = String::from_utf8_lossy(name).into_owned();
        }
    }
}

/// What an image is known by; its process has this id here.
fn known(copied: &Copied, pid: u32) -> Known {
    let nothing = Known {
        pid: 0,
        parent_pid: 0,
        executable: String::new(),
        command: Vec::new(),
    };
    copied.region().map_or(nothing, |region| {
        let header = region.header;
        let executable: Vec<u8> = header.executable.bytes().collect();
        let command: Vec<u8> = header.command.bytes().collect();
        let words = command.split(|&byte| byte == 0);
        Known {
            pid,
            parent_pid: parent_of(header, pid),
            executable: String::from_utf8_lossy(&executable).into_owned(),
            command: words
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
        }
    })
}

/// The id of the parent of an image whose process has this id here. In another pid namespace it has another id, or none.
fn parent_of(header: &Header, pid: u32) -> u32 {
    let noted = header.parent_pid.load(Ordering::Relaxed);
    if header.pid.load(Ordering::Relaxed) == pid {
        return noted;
    }
    let mut text = [0; life::MOST_BYTES];
    let stat = life::read(pid, &mut text);
    stat.and_then(|stat| stat.number(4)).unwrap_or(noted)
}
