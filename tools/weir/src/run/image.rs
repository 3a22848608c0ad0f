//! One process image of the program's tree: its region, the writer that drains it, and whether it
//! has ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use weir_record::clock::{Moment, Rate};
use weir_record::ends::ChildEnd;
use weir_record::region::{Circumstance, NotARegion, Phase, Region};
use weir_record::starts::Start;
use weir_report::model::{End, Process, TimelinePoint};
use weir_report::recording;
use weir_report::writer::{Poll, Writer};

use super::allowance::Allowance;
use super::ending;
use super::identity::Identity;
use super::inbox::Handed;
use super::life::Life;
use super::mapping::Mapping;
use super::moment;
use super::names::Names;
use super::namespaces;
use super::outside::Outside;
use super::seen::{Namespaced, Seen};
use super::usage::FileId;

/// How soon a process is looked for again, once its image says that it ends.
const FIRST_LOOK: Duration = Duration::from_millis(5);
/// The longest that goes by between two looks.
const LAST_LOOK: Duration = Duration::from_millis(500);
/// How long an image is given to go on counting after it said that it ends, where its process cannot be seen.
const GRACE: Duration = Duration::from_millis(100);
/// How long an image must have run so that the end that it noted gives the clock's rate: the clocks
/// are read within tens of nanoseconds of each other, a thousandth of this.
const SHORTEST_RUN_NS: u64 = 50_000;
/// How old an image is when its file gets a name: most do not live that long.
const NAMELESS_FOR: Duration = Duration::from_millis(500);

/// An image that has not ended, as far as is known.
#[derive(Debug)]
pub struct Image {
    // These two borrow from `mapping`, and are dropped before it.
    writer: Writer<'static>,
    /// How many notes of the ends of its children have been seen.
    ends_seen: u64,
    region: Region<'static>,
    _mapping: Mapping,
    // As they were when the region was found: the program can write to it at any time.
    pid: u32,
    started: Moment,
    /// The file, for as long as it has no name.
    nameless: Option<File>,
    path: Option<PathBuf>,
    name_at: Instant,
    file: FileId,
    /// What is to be added to its monotonic clock to get weir's.
    clock_shift_ns: i64,
    /// Its process; none if that could not be seen.
    seen: Option<Seen>,
    /// Whether it may be one of another pid namespace.
    needs_search: bool,
    /// The process that sent the region, if the kernel says so.
    sender: Option<u32>,
    /// None where its process is not known, or had ended before it was seen.
    outside: Option<Outside>,
    look_at: Instant,
    look_after: Duration,
    /// When it was seen to say that it ends.
    leaving: Option<Instant>,
    /// How its process ended, where others still count in its region.
    ended: Option<End>,
}

/// The file of a region whose image is closed: what is left where the report cannot be written.
#[derive(Debug)]
pub struct RegionFile {
    pid: u32,
    nameless: Option<File>,
    path: Option<PathBuf>,
}

impl RegionFile {
    /// Removes it: the image is in the report, or will be. Returns its name, where it had one and has it no longer.
    pub fn remove(self) -> Option<PathBuf> {
        drop(self.nameless);
        let path = self.path?;
        // Where it cannot be removed now, it is with its directory.
        let is_gone = match std::fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        is_gone.then_some(path)
    }

    /// Keeps it with a name: there is no report. Whether that was possible.
    pub fn keep(self, names: &mut Names) -> bool {
        match (&self.nameless, &self.path) {
            (Some(file), _) => names.give(file, self.pid).is_some(),
            (None, Some(path)) => names.take(path, self.pid),
            (None, None) => false,
        }
    }
}

/// Why a file is no image.
#[derive(Debug)]
pub enum NoImage {
    /// It is being made.
    Unfinished,
    /// It was made by another version of the library.
    OtherVersion,
    /// There is no memory to map it.
    NoMemory,
    /// It is not there any more.
    Gone,
    /// It cannot be opened or mapped.
    Unavailable,
}

impl Image {
    /// Opens the region that a process made under this path.
    ///
    /// # Errors
    /// Where it is none, or none yet.
    pub fn open(path: &Path) -> Result<Image, NoImage> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => NoImage::Gone,
                _ => NoImage::Unavailable,
            })?;
        let mut image = Image::of(&file, None)?;
        image.path = Some(path.to_owned());
        Ok(image)
    }

    /// Opens the region that a process has handed over.
    ///
    /// # Errors
    /// Where it is none, or none yet: then with the file.
    pub fn handed(handed: Handed) -> Result<Image, (NoImage, Handed)> {
        match Image::of(&handed.file, handed.sender) {
            Ok(mut image) => {
                image.nameless = Some(handed.file);
                Ok(image)
            }
            Err(reason) => Err((reason, handed)),
        }
    }

    fn of(file: &File, sender: Option<u32>) -> Result<Image, NoImage> {
        let mapping = Mapping::shared(file).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => NoImage::Unfinished,
            io::ErrorKind::OutOfMemory => NoImage::NoMemory,
            _ => NoImage::Unavailable,
        })?;
        let region = match mapping.region() {
            // SAFETY: the same region, borrowed for longer than the compiler can see. It points into
            // the mapped memory, which stays where it is when `Image` moves and is unmapped after
            // the other fields are dropped; neither `region` nor `writer` leaves `Image`.
            Ok(region) => unsafe { std::mem::transmute::<Region<'_>, Region<'static>>(region) },
            Err(NotARegion::Layout) => return Err(NoImage::OtherVersion),
            Err(NotARegion::Short | NotARegion::Magic | NotARegion::Alignment) => {
                return Err(NoImage::Unfinished);
            }
        };
        moment::note_steadiness(region.header);
        let id = FileId::of(&file.metadata().map_err(|_| NoImage::Unavailable)?);
        let seen = Seen::of(region.header, sender, id);
        let mut image = Image {
            writer: Writer::new(region),
            ends_seen: 0,
            region,
            _mapping: mapping,
            pid: region.header.pid.load(Ordering::Relaxed),
            started: region.header.started.get(),
            nameless: None,
            path: None,
            name_at: Instant::now() + NAMELESS_FOR,
            file: id,
            clock_shift_ns: 0,
            seen: None,
            sender,
            needs_search: seen.is_none() && namespaces::is_proc_ours(),
            outside: None,
            look_at: Instant::now(),
            look_after: FIRST_LOOK,
            leaving: None,
            ended: None,
        };
        image.see(seen);
        Ok(image)
    }

    /// Its process is this one.
    fn see(&mut self, seen: Option<Seen>) {
        self.seen = seen;
        let header = self.region.header;
        let shift_ns = namespaces::clock_shift_ns(header, seen.map(|seen| seen.pid));
        self.clock_shift_ns = shift_ns;
        self.writer.shift(shift_ns);
        self.started = header.started.get().shifted(shift_ns);
        let (pid, started, file) = (self.pid, self.started, self.file);
        self.outside = seen.and_then(|seen| Outside::new(seen, pid, started, file));
    }

    /// Whether its process is to be [searched](Image::search).
    pub fn needs_search(&self) -> bool {
        self.needs_search
    }

    /// Searches its process among those of other pid namespaces. Where it is not there, it has ended.
    pub fn search(&mut self, namespaced: &Namespaced) {
        self.needs_search = false;
        self.see(Seen::among(namespaced, self.region.header, self.file));
    }

    /// Whether weir keeps a descriptor of the file.
    pub fn is_nameless(&self) -> bool {
        self.nameless.is_some()
    }

    /// Gives the file a name, where it has none and is old enough; or at once.
    pub fn name(&mut self, names: &mut Names, now: Instant, at_once: bool) {
        if !at_once && now < self.name_at {
            return;
        }
        if let Some(file) = self.nameless.take() {
            self.path = names.give(&file, self.pid());
        }
    }

    /// The process's id, as in its region: that in its own pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process's id here, if that is known, or else that in its region.
    pub fn pid_here(&self) -> u32 {
        self.seen.map_or(self.pid, |seen| seen.pid)
    }

    /// The id of its parent when it started.
    pub fn parent_pid(&self) -> u32 {
        self.region.header.parent_pid.load(Ordering::Relaxed)
    }

    /// Which process it is.
    pub fn identity(&self) -> Identity {
        let noted = Identity {
            pid: self.pid,
            began_ticks: self.started.ticks,
            ..Identity::noted(self.region.header)
        };
        match self.seen {
            Some(seen) => Identity {
                namespace: seen.namespace,
                here: Some(seen.pid),
                ..noted
            },
            // The first process of a namespace, which has no parent there.
            None => Identity {
                here: self.sender.filter(|_| self.parent_pid() == 0),
                ..noted
            },
        }
    }

    /// When the image started.
    pub fn started(&self) -> Moment {
        self.started
    }

    /// Whether it is known which process it is here. One that is not known has ended before its region was found, or cannot be seen: then
    /// only the image itself notes its end.
    pub fn was_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether another image can be of the same process, which has the same id here.
    pub fn can_be_of_process_of(&self, other: &Image) -> bool {
        // Only of one that has ended it may not be known which it was.
        let is_likely = || self.parent_pid() == other.parent_pid() && !self.runs() && !other.runs();
        let [own, others] = [self, other].map(|image| image.identity().namespace);
        let may_be = own == others || !own.is_known() || !others.is_known();
        may_be && self.pid == other.pid && (self.was_seen() && other.was_seen() || is_likely())
    }

    /// Whether its process is seen to run.
    fn runs(&self) -> bool {
        self.seen.is_some_and(|seen| match Life::of(seen.pid) {
            Life::Running { since } => Some(since) == seen.since,
            Life::Ended { .. } | Life::Absent => false,
        })
    }

    /// Whether it began by fork.
    pub fn is_forked(&self) -> bool {
        self.region.header.has(Circumstance::Forked)
    }

    /// Whether it has said that it becomes another image.
    pub fn is_replacing(&self) -> bool {
        self.region.header.phase() == Phase::Replacing
    }

    /// Shows the programs that were started from here since the last time.
    pub fn take_starts(&self, see: impl FnMut(&Start)) {
        let (starts, room) = self.region.header.starts();
        starts.take(room, see);
    }

    /// Shows how its children ended that it has waited for since the last time; the `last` time also what a thread that was
    /// killed was about to note.
    pub fn take_ends(&mut self, is_last: bool, see: impl FnMut(ChildEnd)) {
        if let Some(ends) = self.region.header.ends() {
            self.ends_seen = ends.show(self.ends_seen, is_last, see);
        }
    }

    /// Drains the rings. So many images run.
    pub fn poll(&mut self, now: Moment, running: usize) -> Poll {
        let (header, outside) = (self.region.header, &mut self.outside);
        self.writer.poll_beside(now, |point| {
            outside.as_mut()?.read(header, now, point, running)
        })
    }

    /// Looks at threads that are in slow calls, as far as that is allowed.
    pub fn look(&mut self, now: Moment, allowance: &mut Allowance) {
        if let Some(outside) = &mut self.outside {
            outside.look(self.region, now, allowance);
        }
    }

    /// The image as it is now; it may go on, as one of so many.
    pub fn process(&mut self, now: Moment, end: End, running: usize) -> Process {
        let (header, outside) = (self.region.header, &mut self.outside);
        let process = self.writer.process_beside(now, end, |point| {
            outside.as_mut()?.read(header, now, point, running)
        });
        self.with_outside(process, now)
    }

    /// The image at its end, which was found now, and its region's file.
    pub fn close(mut self, now: Moment, end: End) -> (Process, RegionFile) {
        let ended = self.farewell().unwrap_or(now);
        let process = self.writer.process(ended, end);
        (self.with_outside(process, ended), self.leave())
    }

    /// The report of the image as it was at this moment, with what was read of its process.
    fn with_outside(&self, mut process: Process, now: Moment) -> Process {
        if let Some(outside) = &self.outside {
            outside.report_in(&mut process, now);
        }
        process
    }

    /// The region's file, of an image that nobody looks at any more.
    pub fn leave(self) -> RegionFile {
        RegionFile {
            pid: self.pid(),
            nameless: self.nameless,
            path: self.path,
        }
    }

    /// Whether forked processes that have no region of their own go on in this one, or may yet: the kernel may let a
    /// process end before its child has made its first step.
    pub fn is_shared(&self) -> bool {
        self.children() > 0
    }

    /// How many forked processes may still count here, as far as is known.
    pub fn children(&self) -> u64 {
        let header = self.region.header;
        header
            .children
            .get()
            .saturating_sub(header.children_gone.get())
    }

    /// Keeps how the image ended until no process counts in its region any more.
    pub fn keep(&mut self, end: End) {
        self.ended.get_or_insert(end);
    }

    /// What was kept.
    pub fn kept(&self) -> Option<End> {
        self.ended.clone()
    }

    /// How the image ended, if it has, no process counts in its region any more, and it is time to look.
    pub fn end_if_due(&mut self, now: Instant) -> Option<End> {
        if self.ended.is_none() {
            let end = self.own_end_if_due(now)?;
            self.ended = Some(end);
        }
        self.kept().filter(|_| !self.is_shared())
    }

    fn own_end_if_due(&mut self, now: Instant) -> Option<End> {
        match (self.leaving, self.is_leaving()) {
            (None, true) => {
                self.leaving = Some(now);
                self.look_at = now;
                self.look_after = FIRST_LOOK;
            }
            // An exec failed.
            (Some(_), false) => self.leaving = None,
            _ => {}
        }
        if now < self.look_at {
            return None;
        }
        self.look_at = now + self.look_after;
        self.look_after = (self.look_after * 2).min(LAST_LOOK);
        if self.was_seen() {
            return self.end();
        }
        let leaving = self.leaving.filter(|_| !self.needs_search);
        leaving
            .filter(|&leaving| now >= leaving + GRACE)
            .map(|_| self.end_by_its_word())
    }

    /// How the image ended, where its process is seen to have ended.
    pub fn end(&self) -> Option<End> {
        let seen = self.seen?;
        match Life::of(seen.pid) {
            Life::Running { since: now } if Some(now) == seen.since => None,
            Life::Ended {
                since: now,
                status: Some(status),
            } if Some(now) == seen.since => Some(self.end_with(status)),
            // Gone; or another process has its id by now.
            _ => Some(self.end_by_its_word()),
        }
    }

    /// How the image ended, given how its process did.
    pub fn end_with(&self, status: ExitStatus) -> End {
        match self.region.header.phase() {
            // What ended is what it became.
            Phase::Replacing => ending::replaced(),
            _ => ending::known(status),
        }
    }

    /// How the image ended, by what it last said of itself.
    pub fn end_by_its_word(&self) -> End {
        ending::by_phase(self.region.header)
    }

    /// How the image ended, given that there is a later one with its process's id.
    pub fn end_before_successor(&self) -> End {
        match (self.region.header.phase(), self.seen) {
            // If it is the same process, a system call that Weir did not see may have replaced the image.
            (Phase::Running, Some(Seen { pid, since, .. }))
                if since.is_some() && since == Life::of(pid).since() =>
            {
                ending::replaced()
            }
            _ => self.end_by_its_word(),
        }
    }

    /// The moment of these ticks, which are those of another process of this machine; `now`, if that was before them, or if the clock's
    /// rate is not known yet.
    pub fn moment_at(&self, ticks: u64, now: Moment) -> Moment {
        let started = self.started;
        let rate = Rate::between(started, now).filter(|_| ticks <= now.ticks);
        let ran_ns = rate.zip(ticks.checked_sub(started.ticks));
        ran_ns.map_or(now, |(rate, ticks)| {
            let ran_ns = rate.ns(ticks);
            Moment {
                ticks: started.ticks + ticks,
                monotonic_ns: started.monotonic_ns.saturating_add(ran_ns),
                unix_ns: started.unix_ns.saturating_add(ran_ns),
            }
        })
    }

    /// When the image noted that it ends, if it did and ran long enough to know the clock's rate. An image that had sealed
    /// itself could not read the time.
    fn farewell(&self) -> Option<Moment> {
        if self.region.header.has(Circumstance::Sealed) {
            return None;
        }
        let latest = self.region.header.latest.get();
        let latest = latest.shifted(self.clock_shift_ns);
        let ran_ns = latest
            .monotonic_ns
            .checked_sub(self.started().monotonic_ns)?;
        (self.is_leaving() && ran_ns >= SHORTEST_RUN_NS).then_some(latest)
    }

    /// How many bytes of its heap are live, those that it inherited included; give or take what its threads have not published.
    pub fn live_bytes(&self) -> i64 {
        self.region.header.heap.live_bytes.get_signed()
    }

    /// Its counts as they are now, with what is live of its heap.
    pub fn counts(&self) -> TimelinePoint {
        recording::counts_of(self.region)
    }

    /// Whether it says that it ends.
    pub fn is_leaving(&self) -> bool {
        matches!(
            self.region.header.phase(),
            Phase::Exiting | Phase::Replacing
        )
    }
}
