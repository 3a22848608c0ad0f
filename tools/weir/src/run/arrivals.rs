//! Finds what the processes of the program's tree leave for weir: regions that they hand over, regions with names in the
//! session's directory, and reports of images that could not share a region.
//!
//! Only so much is taken at once, so that what has ended can be folded before more is mapped: the kernel allows a process 65,530
//! mappings (`vm.max_map_count`), and a storm of short processes leaves more regions than that while weir waits for a processor.
//! A *pass* takes all that was there when it began, in as many steps as that needs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use weir_record::region::Header;
use weir_report::model::Process;
use weir_report::read::{self, Limits};

use super::image::{Image, NoImage};
use super::inbox::{Handed, Inbox};
use super::names::Names;

/// The kernel stamps directories with a clock that stands still for a jiffy, 10 ms at the most: a
/// change so soon after a listing may not show.
const STAMP_BLUR: Duration = Duration::from_millis(20);
/// How often the directory is asked about, where regions are handed over: few are found there then.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);
/// How many names of the directory are looked at in one step.
const AT_ONCE: usize = 128;
/// How often a pass takes what was handed over, each time as much as is taken at once, before it waits for no more: who sends for
/// ever holds nothing up. A socket of this kind keeps 512 messages at most, unless somebody has raised that (net.unix.max_dgram_qlen).
const MOST_TAKES: usize = 32;
/// How long a region may take to be finished, before it is looked at less often: one with a name where the directory changes,
/// another [now and then](BETWEEN_LOOKS). Its process may wait for a processor for longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often files are looked at that have not been finished for so long.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How many files without a name that are no regions yet are open at the most: descriptors are limited.
const MOST_UNFINISHED: usize = 128;

/// What a report may be that an image without a shared region left: one of one process. Whatever else lies there was put
/// there by the program.
const LIMITS: Limits = Limits {
    bytes: 32 << 20,
    memory: 64 << 20,
};

/// What one step found.
#[derive(Debug, Default)]
pub struct Arrived {
    /// New images.
    pub images: Vec<Image>,
    /// Files that may be reports, for [`Arrivals::report`].
    pub reports: Vec<PathBuf>,
}

/// The pass that takes what there is now, to be compared with what is [complete](Arrivals::has_made).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pass(u64);

/// A file that was handed over and is no region yet.
#[derive(Debug)]
struct Unfinished {
    handed: Handed,
    since: Instant,
    looked_at: Instant,
}

impl Unfinished {
    fn is_due(&self, now: Instant) -> bool {
        now < self.since + PATIENCE || now >= self.looked_at + BETWEEN_LOOKS
    }
}

/// Where they arrive.
#[derive(Debug)]
pub struct Arrivals {
    directory: PathBuf,
    inbox: Option<Inbox>,
    /// Whether something was in it when it was looked at last.
    is_busy: bool,
    /// Names that the pass has found and not looked at.
    listed: VecDeque<OsString>,
    /// Names of regions that are images, or were and could not be removed.
    known: HashSet<OsString>,
    /// Files that are no regions, or not yet, since when.
    refused: HashMap<OsString, Instant>,
    /// Files that were handed over and are no regions yet.
    unfinished: Vec<Unfinished>,
    /// How many there were besides that never became one, as far as is known.
    never_finished: usize,
    /// How many are kept, and in no report: there was no memory for them.
    kept: usize,
    other_version: bool,
    /// When the directory was last listed.
    scanned: Option<SystemTime>,
    /// When the directory was last asked whether it has changed.
    asked: Option<Instant>,
    /// How many passes have begun.
    begun: u64,
    /// How many are complete: as many, or one less.
    complete: u64,
    /// How often the pass may still take what was handed over.
    takes_left: usize,
    /// Whether somebody waits for the next one.
    is_wanted: bool,
}

impl Arrivals {
    /// In the directory of a session, and its socket.
    pub fn new(directory: &Path, inbox: Option<Inbox>) -> Arrivals {
        Arrivals {
            directory: directory.to_owned(),
            inbox,
            is_busy: true,
            listed: VecDeque::new(),
            known: HashSet::new(),
            refused: HashMap::new(),
            unfinished: Vec::new(),
            never_finished: 0,
            kept: 0,
            other_version: false,
            scanned: None,
            asked: None,
            begun: 0,
            complete: 0,
            takes_left: 0,
            is_wanted: false,
        }
    }

    /// What becomes readable when the next region is handed over. None where some were lately: more may come soon, and those
    /// that come together are looked at together.
    pub fn next(&self) -> Option<BorrowedFd<'_>> {
        self.inbox
            .as_ref()
            .filter(|_| !self.is_busy)
            .map(AsFd::as_fd)
    }

    /// The pass that will have taken all that is there now.
    pub fn pass(&mut self) -> Pass {
        self.is_wanted = true;
        Pass(self.begun + 1)
    }

    /// Whether a pass is complete.
    pub fn has_made(&self, pass: Pass) -> bool {
        self.complete >= pass.0
    }

    /// Whether a pass has begun and is not complete: there may be more to take.
    pub fn is_amid(&self) -> bool {
        self.begun > self.complete
    }

    /// Takes one step. Where nothing can have been handed over since the last, what was is not looked for.
    pub fn take(&mut self, may_have_been_handed: bool, names: &mut Names) -> Arrived {
        if !self.is_amid() && self.is_listing_due() {
            self.begin();
        }
        let mut files = Vec::new();
        let mut are_all = true;
        if may_have_been_handed || self.is_amid() {
            let taken = self.inbox.as_ref().map(Inbox::take).unwrap_or_default();
            self.is_busy = taken.was_something();
            self.takes_left = self.takes_left.saturating_sub(1);
            are_all = taken.are_all() || self.takes_left == 0;
            files = taken.files;
        }
        let mut arrived = Arrived {
            images: self.recognized(files, names),
            reports: Vec::new(),
        };
        for name in self
            .listed
            .drain(..AT_ONCE.min(self.listed.len()))
            .collect::<Vec<_>>()
        {
            let path = self.directory.join(&name);
            match path.extension().and_then(OsStr::to_str) {
                Some("region") => arrived.images.extend(self.open(&path, name, names)),
                Some("json") if !self.refused.contains_key(&name) => arrived.reports.push(path),
                _ => {}
            }
        }
        if self.listed.is_empty() && are_all {
            self.complete = self.begun;
        }
        arrived
    }

    /// The processes of a report that was found, whose file is removed.
    pub fn report(&mut self, path: &Path) -> Vec<Process> {
        let report = read::load_found(path, LIMITS);
        if fs::remove_file(path).is_err()
            && let Some(name) = path.file_name()
        {
            // It must not be taken twice.
            self.refused.insert(name.to_owned(), Instant::now());
        }
        report.map_or_else(|_| Vec::new(), |report| report.processes)
    }

    /// The file of a region is gone. Another may have its name.
    pub fn forget(&mut self, file: &Path) {
        if file.parent() == Some(&self.directory)
            && let Some(name) = file.file_name()
        {
            self.known.remove(name);
        }
    }

    /// From now on, nothing is handed over.
    pub fn close(&mut self) {
        self.inbox = None;
    }

    /// How many regions could not be read: their processes ended while they made them, or the system will
    /// not have them mapped.
    pub fn unread(&self) -> usize {
        self.refused.len() + self.unfinished.len() + self.never_finished + self.kept
    }

    /// How many of these are kept.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Whether there were regions that another version of the library made.
    pub fn found_other_version(&self) -> bool {
        self.other_version
    }

    fn is_listing_due(&mut self) -> bool {
        let may_be_finished = |since: &Instant| since.elapsed() < PATIENCE;
        if self.is_wanted || self.refused.values().any(may_be_finished) {
            return true;
        }
        let was_just_asked = self
            .asked
            .is_some_and(|asked| asked.elapsed() < BETWEEN_QUESTIONS);
        if self.inbox.is_some() && was_just_asked {
            return false;
        }
        self.asked = Some(Instant::now());
        let changed = fs::metadata(&self.directory).and_then(|metadata| metadata.modified());
        match (changed, self.scanned) {
            (Ok(changed), Some(scanned)) => changed + STAMP_BLUR >= scanned,
            (Ok(_), None) => true,
            // The program removed it; what is mapped stays.
            (Err(_), _) => false,
        }
    }

    /// Begins a pass. In one go: of two images of a process one may have been handed over, and the other not.
    fn begin(&mut self) {
        self.begun += 1;
        self.is_wanted = false;
        self.takes_left = MOST_TAKES;
        self.scanned = Some(SystemTime::now());
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<OsString> = names.filter(|name| !self.known.contains(name)).collect();
        // Names begin with process ids: the images of one process come together, and few wait for what they became.
        names.sort_unstable();
        self.listed = names.into();
    }

    /// The regions among files that were handed over now, and those that were before and were none yet.
    fn recognized(&mut self, files: Vec<Handed>, names: &mut Names) -> Vec<Image> {
        let now = Instant::now();
        // A pass takes all that there is.
        let is_pass = self.is_amid();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unfinished)
            .into_iter()
            .partition(|of| is_pass || of.is_due(now));
        self.unfinished = later;
        let due = due.into_iter().map(|of| (of.handed, of.since));
        let new = files.into_iter().map(|handed| (handed, now));
        let mut found = Vec::new();
        for (handed, since) in due.chain(new) {
            match Image::handed(handed) {
                Ok(image) => found.push(image),
                Err((NoImage::NoMemory, handed)) if is_kept(&handed.file, names) => self.kept += 1,
                Err((NoImage::Unfinished | NoImage::NoMemory, handed)) => {
                    self.unfinished.push(Unfinished {
                        handed,
                        since,
                        looked_at: now,
                    });
                }
                Err((reason, _)) => {
                    self.other_version |= matches!(reason, NoImage::OtherVersion);
                    self.never_finished += 1;
                }
            }
        }
        let surplus = self.unfinished.len().saturating_sub(MOST_UNFINISHED);
        if surplus > 0 {
            self.unfinished.sort_by_key(|of| of.since);
            self.unfinished.drain(..surplus);
            self.never_finished += surplus;
        }
        found
    }

    /// The image of a region file that is not known yet.
    fn open(&mut self, path: &Path, name: OsString, names: &mut Names) -> Option<Image> {
        match Image::open(path) {
            Ok(image) => {
                self.refused.remove(&name);
                self.known.insert(name);
                Some(image)
            }
            Err(NoImage::Gone) => None,
            Err(NoImage::NoMemory) if names.take(path, 0) => {
                self.kept += 1;
                None
            }
            Err(reason) => {
                self.other_version |= matches!(reason, NoImage::OtherVersion);
                self.refused.entry(name).or_insert_with(Instant::now);
                None
            }
        }
    }
}

/// Keeps the file of a region that there is no memory for. False if it is none, or none yet.
fn is_kept(file: &File, names: &mut Names) -> bool {
    let mut first = [0; Header::MAKER_BYTES];
    let is_read = file.read_exact_at(&mut first, 0).is_ok();
    let maker = is_read.then(|| Header::maker(&first)).flatten();
    maker.is_some_and(|maker| names.give(file, maker.pid).is_some())
}

#[cfg(test)]
mod tests {
    use weir_record::region::Phase;
    use weir_record::settings::INBOX;

    use super::super::collector::tests::{region_in, write_region};
    use super::super::inbox::tests::send;
    use super::*;

    /// The images that one step found.
    fn step(arrivals: &mut Arrivals, names: &mut Names) -> usize {
        arrivals.take(true, names).images.len()
    }

    #[test]
    fn a_pass_takes_all_that_was_there_in_steps() {
        let directory = tempfile::tempdir().unwrap();
        let all = 2 * AT_ONCE + 10;
        for number in 0..all {
            region_in(directory.path(), &format!("7-{number}"));
        }
        let mut names = Names::new(directory.path());
        let mut arrivals = Arrivals::new(directory.path(), None);
        let pass = arrivals.pass();
        let mut found = Vec::new();
        while !arrivals.has_made(pass) {
            found.push(step(&mut arrivals, &mut names));
            // It waits for the next.
            region_in(directory.path(), &format!("9-{}", found.len()));
        }
        assert_eq!(found, [AT_ONCE, AT_ONCE, 10]);
        assert!(!arrivals.is_amid());
        let next = arrivals.pass();
        assert!(!arrivals.has_made(next));
        assert_eq!(step(&mut arrivals, &mut names), 3);
        assert!(arrivals.has_made(next));
        assert_eq!(arrivals.unread(), 0);
    }

    /// Its process may get no processor for as long as that.
    #[test]
    fn a_region_that_was_handed_over_may_take_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let inbox = Inbox::new(directory.path()).expect("a socket");
        let mut names = Names::new(directory.path());
        let mut arrivals = Arrivals::new(directory.path(), Some(inbox));
        let file = tempfile::tempfile_in(directory.path()).unwrap();
        send(&directory.path().join(INBOX), &[&file]);
        let end = Instant::now() + PATIENCE + BETWEEN_LOOKS;
        while Instant::now() < end {
            assert_eq!(step(&mut arrivals, &mut names), 0);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(arrivals.unread(), 1);
        write_region(&file, 0, Phase::Running);
        std::thread::sleep(BETWEEN_LOOKS);
        assert_eq!(step(&mut arrivals, &mut names), 1);
        assert_eq!(arrivals.unread(), 0);
    }

    #[test]
    fn a_region_is_taken_once_for_as_long_as_it_has_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = region_in(directory.path(), "7-1");
        let mut names = Names::new(directory.path());
        let mut arrivals = Arrivals::new(directory.path(), None);
        let mut found = |forget: bool| {
            if forget {
                arrivals.forget(&path);
            }
            arrivals.pass();
            step(&mut arrivals, &mut names)
        };
        assert_eq!(found(false), 1);
        assert_eq!(found(false), 0);
        assert_eq!(found(true), 1);
    }

    #[test]
    fn a_region_that_goes_before_it_is_looked_at_was_none() {
        let directory = tempfile::tempdir().unwrap();
        let paths = (0..=AT_ONCE).map(|number| format!("7-{number:03}"));
        let paths: Vec<_> = paths
            .map(|name| region_in(directory.path(), &name))
            .collect();
        let mut names = Names::new(directory.path());
        let mut arrivals = Arrivals::new(directory.path(), None);
        assert_eq!(step(&mut arrivals, &mut names), AT_ONCE);
        fs::remove_file(&paths[AT_ONCE]).unwrap();
        assert_eq!(step(&mut arrivals, &mut names), 0);
        assert_eq!(arrivals.unread(), 0);
    }
}
