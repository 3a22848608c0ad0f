//! The processes that are watched: copies of their regions, and what changed between two looks.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use weir_record::region::{Header, Phase, Region};
use weir_report::live::{Recent, Seen};
use weir_report::model::Process;
use weir_report::writer::Writer;

use super::target::{Known, Target};
use crate::failure::Failure;
use crate::recover::copied::{self, Copied};
use crate::recover::lying;
use crate::report::measure::CallSums;
use crate::run::title::{self, StartedAs};
use crate::run::{ending, life, moment, namespaces};
use crate::{text, units};

/// Finds the regions that are to be looked at. Those that no process uses are left out then.
pub type Find = Box<dyn Fn() -> Vec<PathBuf>>;

/// The processes.
pub struct Watch {
    target: Target,
    find: Find,
    /// Also of those that are not meant.
    found: HashMap<PathBuf, Found>,
    images: HashMap<PathBuf, Image>,
    /// Memory for the next copy.
    spare: Option<Copied>,
    /// Those that are meant, in the order of their start.
    pub shown: Vec<Shown>,
    /// The latencies of their calls since the look before.
    pub recent: Recent,
    /// How many regions could not be read in the last look, and why the first of them.
    unread: Option<(u64, String)>,
    /// Whether any has been seen.
    has_seen: bool,
}

/// An image that was found.
struct Found {
    /// When it began. After an exec, another one may have a region of the same name.
    began_ticks: u64,
    known: Known,
    started_as: StartedAs,
}

impl Found {
    /// The image with this header, whose process has this id here.
    fn of(header: &Header, pid: u32) -> Found {
        let executable: Vec<u8> = header.executable.bytes().collect();
        let command: Vec<u8> = header.command.bytes().collect();
        let words = command.split(|&byte| byte == 0);
        Found {
            began_ticks: header.started.get().ticks,
            known: Known {
                pid,
                parent_pid: parent_of(header, pid),
                executable: String::from_utf8_lossy(&executable).into_owned(),
                command: words
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect(),
                title: None,
            },
            started_as: StartedAs::of(header),
        }
    }
}

/// An image, as it was seen last.
struct Image {
    /// As in [`Found`].
    began_ticks: u64,
    seen: Seen,
    process: Arc<Process>,
}

/// An image now, and before.
pub struct Shown {
    pub process: Arc<Process>,
    /// None where it was not there before: then all that it did is new.
    pub before: Option<Arc<Process>>,
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
            found: HashMap::new(),
            images: HashMap::new(),
            spare: None,
            shown: Vec::new(),
            recent: Recent::default(),
            unread: None,
            has_seen: false,
        }
    }

    /// Looks at all of them; false if there is none.
    pub fn look(&mut self) -> bool {
        let elsewhere = OnceCell::new();
        let user = |path: PathBuf| {
            // Others lie there for weir recover.
            let pid = lying::user(&path, &elsewhere)?;
            Some((path, pid))
        };
        let used = (self.find)().into_iter().filter_map(user).collect();
        self.unread = None;
        let mut before = std::mem::take(&mut self.images);
        self.recent = Recent::default();
        self.shown.clear();
        for (path, pid) in self.meant(used) {
            // One after the other, in the same memory: a copy has some hundred kilobytes.
            let Some(copied) = self.copied(&path) else {
                continue;
            };
            let Some(region) = copied.region().ok().filter(is_running) else {
                continue;
            };
            // By the clock of the region.
            let now = moment::now().shifted(-namespaces::clock_shift_ns(region.header, None));
            let began_ticks = region.header.started.get().ticks;
            let before = before.remove(&path);
            let (mut seen, before) = match before.filter(|of| of.began_ticks == began_ticks) {
                Some(image) => (image.seen, Some(image.process)),
                None => (Seen::default(), None),
            };
            seen.look(region, now, &mut self.recent);
            let mut process = Writer::new(region).process(now, ending::running());
            crate::sites::name_made_code(&mut process);
            if process.pid == pid {
                rename_threads(&mut process);
            }
            (process.pid, process.parent_pid) = (pid, parent_of(region.header, pid));
            let found = self.found.get(&path);
            process.title = found.and_then(|found| found.known.title.clone());
            let process = Arc::new(process);
            self.shown.push(Shown {
                process: process.clone(),
                before,
            });
            let image = Image {
                began_ticks,
                seen,
                process,
            };
            self.images.insert(path, image);
            self.spare = Some(copied);
        }
        self.shown
            .sort_by_key(|of| (of.process.started_unix_ns, of.process.pid));
        self.has_seen |= !self.shown.is_empty();
        !self.shown.is_empty()
    }

    /// Those of the regions, with the ids here of their processes, whose processes are meant.
    fn meant(&mut self, mut used: Vec<(PathBuf, u32)>) -> Vec<(PathBuf, u32)> {
        let mut before = std::mem::take(&mut self.found);
        used.retain(|(path, pid)| {
            let began_ticks = copied::maker(path).map(|maker| maker.began_ticks);
            let found = before.remove(path);
            let found = found.filter(|found| Some(found.began_ticks) == began_ticks);
            let found = found.or_else(|| {
                let copied = self.copied(path)?;
                let found = copied.region().ok();
                let found = found.map(|region| Found::of(region.header, *pid));
                self.spare = Some(copied);
                found
            });
            found.is_some_and(|mut found| {
                found.known.title = title::of_running(*pid, &found.started_as);
                self.found.insert(path.clone(), found);
                true
            })
        });
        let known = used.iter().map(|(path, _)| &self.found[path].known);
        let known: Vec<&Known> = known.collect();
        let chosen = self.target.chosen(&known);
        let chosen = used.into_iter().zip(chosen).filter(|(_, chosen)| *chosen);
        chosen.map(|(used, _)| used).collect()
    }

    /// A copy of a region; what is there and cannot be read is counted.
    fn copied(&mut self, path: &Path) -> Option<Copied> {
        match Copied::over(self.spare.take(), path) {
            Ok(copied) => Some(copied),
            Err(_) if !path.exists() => None,
            Err(failure) => {
                let (number, _) = self.unread.get_or_insert((0, failure.in_one_line()));
                *number += 1;
                None
            }
        }
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

    /// What all of them do for each second, or did since their start: parts of a line, the most important first.
    pub fn headline(&self, is_whole: bool) -> Vec<String> {
        let name = self.shown.first().map_or("–", |of| {
            let program = of.process.command.first();
            let program = program.unwrap_or(&of.process.executable);
            let title = of.process.title.as_deref();
            title.unwrap_or_else(|| text::file_name(program))
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
            let before = of.before.as_deref().filter(|_| !is_whole);
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
        parts
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

fn is_running(region: &Region<'_>) -> bool {
    region.header.phase() == Phase::Running
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
