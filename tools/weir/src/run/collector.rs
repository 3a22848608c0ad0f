//! Gathers what the processes of the program's tree record: finds their regions, drains them, and
//! folds every image into its part of the report as soon as it has ended, so that very many
//! short-lived processes take no more memory than their numbers do.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant, SystemTime};

use weir_record::clock::Moment;
use weir_record::region::Header;
use weir_report::model::{End, EndKind, Process, TimelinePoint, TreePeak};
use weir_report::read::{self, Limits};

use super::ended::Ended;
use super::ending;
use super::image::{Image, NoImage, RegionFile};
use super::inbox::Inbox;
use super::moment;
use super::names::Names;
use super::pace;
use super::progress::Sums;
use super::started::Starts;
use super::told::Told;
use super::tree_peak;

/// The kernel stamps directories with a clock that stands still for a jiffy, 10 ms at the most: a
/// change so soon after a scan may not show.
const STAMP_BLUR: Duration = Duration::from_millis(20);
/// How often the directory is asked about, where regions are handed over: few are found there then.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(100);
/// How often what was handed over is taken, each time as much as is taken at once, before no more is waited for: who sends for ever holds
/// nothing up. A socket of this kind keeps 512 messages at most, unless somebody has raised that (net.unix.max_dgram_qlen).
const MOST_LOOKS: usize = 32;
/// How long a region may take to be finished, before only a change of the directory has it looked at.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many files without a name weir has open at the most: descriptors are limited.
const MOST_NAMELESS: usize = 128;
/// How many images whose process could not be seen are kept while they do not say that they end.
const MAX_UNSEEN: usize = 256;

/// What a report may be that an image without a shared region left: one of one process. Whatever else lies there was put
/// there by the program.
const LIMITS: Limits = Limits {
    bytes: 32 << 20,
    memory: 64 << 20,
};

const BECAME_UNKNOWN: &str =
    "what it became by exec was not traced, and what that was is not known";

/// What is known of the tree so far.
#[derive(Debug)]
pub struct Collector {
    directory: PathBuf,
    /// The process that weir itself waits for.
    program: u32,
    images: Vec<Image>,
    /// How many there have been.
    adopted: u64,
    ended: Ended,
    /// The regions that were there at the end, until the report is written.
    last: Vec<RegionFile>,
    /// Files that are no regions, or not yet, since when.
    refused: HashMap<OsString, Instant>,
    inbox: Option<Inbox>,
    /// Whether something was in it when it was looked at last.
    is_busy: bool,
    names: Names,
    /// Files that were handed over and are no regions yet, since when.
    unfinished: Vec<(File, Instant)>,
    /// How many never became one.
    never_finished: usize,
    /// How many are kept, and in no report: there was no memory for them.
    kept: usize,
    scanned: Option<SystemTime>,
    /// When the directory was last asked whether it has changed.
    asked: Option<Instant>,
    first_started: Option<Moment>,
    starts: Starts,
    told: Told,
    other_version: bool,
    tree_peak: tree_peak::Watch,
    /// The counts of the images that have ended.
    ended_counts: TimelinePoint,
}

impl Collector {
    /// A collector for the program with this process id, and what it starts.
    pub fn new(directory: &Path, inbox: Option<Inbox>, program: u32) -> Collector {
        Collector {
            directory: directory.to_owned(),
            program,
            images: Vec::new(),
            adopted: 0,
            ended: Ended::default(),
            last: Vec::new(),
            refused: HashMap::new(),
            inbox,
            is_busy: true,
            names: Names::new(directory),
            unfinished: Vec::new(),
            never_finished: 0,
            kept: 0,
            scanned: None,
            asked: None,
            first_started: None,
            starts: Starts::default(),
            told: Told::default(),
            other_version: false,
            tree_peak: tree_peak::Watch::default(),
            ended_counts: TimelinePoint::default(),
        }
    }

    /// What becomes readable when the next process appears. None where processes have appeared lately: more may come soon, and those
    /// that come together are looked at together.
    pub fn next_process(&self) -> Option<BorrowedFd<'_>> {
        self.inbox
            .as_ref()
            .filter(|_| !self.is_busy)
            .map(AsFd::as_fd)
    }

    /// Looks at everything once, but not for new processes where it is known that none has [appeared](Self::next_process). Returns how
    /// many samples the fullest ring had; where programs were started, which also take room that is limited, no less than a busy one has.
    pub fn turn(&mut self, may_have_appeared: bool) -> usize {
        let (mut found, _) = match may_have_appeared {
            true => self.received(),
            false => (self.recognized(Vec::new()), true),
        };
        if self.is_scan_due() {
            found.extend(self.scanned());
        }
        self.adopt_all(found);
        self.name();
        let now = moment::now();
        let mut fullest = 0;
        let running = self.images.len();
        for image in &mut self.images {
            fullest = fullest.max(image.poll(now, running).fullest_ring);
            if note_starts(&mut self.starts, image) > 0 {
                fullest = fullest.max(pace::BUSY_RING);
            }
            note_ends(&mut self.told, image, false);
        }
        let running = self.images.iter().filter(|image| !image.is_leaving());
        self.tree_peak
            .look(running.map(|image| (image.pid(), image.live_bytes())), now);
        self.fold_ended();
        self.fold_unseen();
        fullest
    }

    /// What all images have counted, and how many run. The live bytes are those of images that run.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            running: self.images.len() as u64,
            counts: self.ended_counts.clone(),
        };
        for image in &self.images {
            add(&mut sums.counts, &image.counts());
            sums.counts.live_bytes = sums.counts.live_bytes.saturating_add(image.live_bytes());
        }
        sums
    }

    /// The largest heap of all processes at one moment, where there were several.
    pub fn tree_peak(&self) -> Option<TreePeak> {
        let began = self.first_started.filter(|_| self.adopted > 1)?;
        self.tree_peak.found(began)
    }

    /// Every image so far, as it is now.
    pub fn snapshot(&mut self, now: Moment) -> Vec<Process> {
        let count = self.images.len();
        let running: Vec<_> = self
            .images
            .iter_mut()
            .map(|image| without_repetition(image.process(now, ending::running(), count)))
            .collect();
        let mut processes = self.ended.snapshot();
        processes.extend(running);
        processes
    }

    /// Every image at the end of the program, which ended now with `status`. Other processes continue to run, and are reported
    /// as they are at this moment.
    pub fn finish(&mut self, status: ExitStatus, now: Moment) -> Vec<Process> {
        self.look();
        for image in &mut self.images {
            note_starts(&mut self.starts, image);
            note_ends(&mut self.told, image, true);
        }
        let images = std::mem::take(&mut self.images);
        let running = images.len();
        for mut image in images {
            let end = if let Some(end) = image.kept() {
                Some(end)
            } else if image.pid() == self.program {
                Some(image.end_with(status))
            } else if image.was_seen() && !image.is_replacing() {
                image.end()
            } else {
                Some(image.end_by_its_word())
            };
            let file = match end {
                Some(end) => self.close(image, now, end),
                None => {
                    self.keep(image.process(now, ending::running(), running));
                    image.leave()
                }
            };
            self.last.push(file);
        }
        let ended = std::mem::take(&mut self.ended);
        let mut processes = ended.finish(&mut self.told);
        self.starts.settle(&mut processes);
        processes
    }

    /// From now on, no region is taken. Those that are in a report are removed. Returns how many are in none, and where they are.
    pub fn settle(&mut self, has_report: bool) -> Option<(usize, PathBuf)> {
        self.inbox = None;
        for file in std::mem::take(&mut self.last) {
            if has_report {
                file.remove();
            } else {
                self.kept += usize::from(file.keep(&mut self.names));
            }
        }
        let kept = Some(self.kept).filter(|&kept| kept > 0)?;
        self.names.keep().map(|directory| (kept, directory))
    }

    /// When the first image started.
    pub fn first_started(&self) -> Option<Moment> {
        self.first_started
    }

    /// How many regions could not be read: their processes ended while they made them, or the system will
    /// not have them mapped.
    pub fn unread(&self) -> usize {
        self.refused.len() + self.unfinished.len() + self.never_finished + self.kept
    }

    /// Whether there were regions that another version of the library made.
    pub fn found_other_version(&self) -> bool {
        self.other_version
    }

    fn is_scan_due(&mut self) -> bool {
        if self
            .refused
            .values()
            .any(|since| since.elapsed() < PATIENCE)
        {
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

    /// Finds everything that is new. In one go: of two images of a process one may have been handed over, and the other not.
    fn look(&mut self) {
        for _ in 0..MOST_LOOKS {
            let (mut found, are_all) = self.received();
            found.extend(self.scanned());
            self.adopt_all(found);
            if are_all {
                break;
            }
            // Each has a descriptor until then.
            self.name();
        }
    }

    /// Regions that were handed over, and whether they are all.
    fn received(&mut self) -> (Vec<Image>, bool) {
        let taken = self.inbox.as_ref().map(Inbox::take).unwrap_or_default();
        self.is_busy = taken.was_something();
        let are_all = taken.are_all();
        (self.recognized(taken.files), are_all)
    }

    /// The regions among files that were handed over now, and those that were before and were none yet.
    fn recognized(&mut self, files: Vec<File>) -> Vec<Image> {
        let now = Instant::now();
        let waiting = std::mem::take(&mut self.unfinished);
        let new = files.into_iter().map(|file| (file, now));
        let mut found = Vec::new();
        for (file, since) in waiting.into_iter().chain(new) {
            match Image::handed(file) {
                Ok(image) => found.push(image),
                Err((NoImage::NoMemory, file)) if self.keeps(&file) => self.kept += 1,
                Err((NoImage::Unfinished | NoImage::NoMemory, file)) if now < since + PATIENCE => {
                    self.unfinished.push((file, since));
                }
                Err((reason, _)) => {
                    self.other_version |= matches!(reason, NoImage::OtherVersion);
                    self.never_finished += 1;
                }
            }
        }
        let surplus = self.unfinished.len().saturating_sub(MOST_NAMELESS);
        self.unfinished.drain(..surplus);
        self.never_finished += surplus;
        found
    }

    /// Keeps the file of a region that there is no memory for. False if it is none, or none yet.
    fn keeps(&mut self, file: &File) -> bool {
        let mut first = [0; Header::MAKER_BYTES];
        let is_read = file.read_exact_at(&mut first, 0).is_ok();
        let maker = is_read.then(|| Header::maker(&first)).flatten();
        maker.is_some_and(|maker| self.names.give(file, maker.pid).is_some())
    }

    /// Gives names to files that have none and last.
    fn name(&mut self) {
        let now = Instant::now();
        let nameless = self.images.iter().filter(|image| image.is_nameless());
        let mut surplus = nameless.count().saturating_sub(MOST_NAMELESS);
        for image in self.images.iter_mut().filter(|image| image.is_nameless()) {
            image.name(&mut self.names, now, surplus > 0);
            surplus = surplus.saturating_sub(1);
        }
    }

    /// New regions that have names; and takes the reports of images that had to keep theirs to themselves.
    fn scanned(&mut self) -> Vec<Image> {
        self.scanned = Some(SystemTime::now());
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("region") => found.extend(self.open(&path)),
                Some("json") => self.take_report(&path),
                _ => {}
            }
        }
        found
    }

    fn adopt_all(&mut self, mut found: Vec<Image>) {
        found.sort_by_key(|image| image.started().monotonic_ns);
        for image in found {
            self.adopt(image);
        }
    }

    /// The image of a region file that is not known yet.
    fn open(&mut self, path: &Path) -> Option<Image> {
        if self.images.iter().any(|image| image.path() == Some(path)) {
            return None;
        }
        let name = path.file_name()?;
        match Image::open(path) {
            Ok(image) => {
                self.refused.remove(name);
                Some(image)
            }
            Err(NoImage::NoMemory) if self.names.take(path, 0) => {
                self.kept += 1;
                None
            }
            Err(reason) => {
                self.other_version |= matches!(reason, NoImage::OtherVersion);
                self.refused
                    .entry(name.to_owned())
                    .or_insert_with(Instant::now);
                None
            }
        }
    }

    fn adopt(&mut self, mut image: Image) {
        let started = image.started();
        if self
            .first_started
            .is_none_or(|first| started.monotonic_ns < first.monotonic_ns)
        {
            self.first_started = Some(started);
        }
        let pid = image.pid();
        // Two that cannot be seen may have the same id in namespaces of their own.
        let is_of_process =
            |image: &Image| image.pid() == pid && (image.was_seen() || image.is_replacing());
        let is_later = |image: &Image| image.started().monotonic_ns > started.monotonic_ns;
        let has_successor = self
            .images
            .iter()
            .any(|image| is_of_process(image) && is_later(image));
        let is_predecessor = |image: &mut Image| is_of_process(image) && !is_later(image);
        let predecessors: Vec<_> = self.images.extract_if(.., is_predecessor).collect();
        self.starts.see(pid, started.ticks);
        for predecessor in predecessors {
            self.succeeded(predecessor);
        }
        image.set_number(self.adopted);
        self.adopted += 1;
        if has_successor {
            // It was handed over, and this one found.
            self.succeeded(image);
        } else {
            self.images.push(image);
        }
    }

    /// An image of whose process there is a later one.
    fn succeeded(&mut self, mut image: Image) {
        note_starts(&mut self.starts, &image);
        note_ends(&mut self.told, &mut image, true);
        let end = image.kept();
        let end = end.unwrap_or_else(|| image.end_before_successor());
        if image.is_shared() {
            image.keep(end);
            self.images.push(image);
        } else {
            let (process, file) = image.close(moment::now(), end);
            self.keep(process);
            file.remove();
        }
    }

    /// Takes the report that an image without a shared region left.
    fn take_report(&mut self, path: &Path) {
        let Some(name) = path.file_name() else {
            return;
        };
        if self.refused.contains_key(name) {
            return;
        }
        if let Ok(report) = read::load_found(path, LIMITS) {
            for process in &report.processes {
                self.starts.see(process.pid, u64::MAX);
            }
            for process in report.processes {
                self.keep(process);
            }
        }
        if fs::remove_file(path).is_err() {
            // It must not be taken twice.
            self.refused.insert(name.to_owned(), Instant::now());
        }
    }

    fn fold_ended(&mut self) {
        let instant = Instant::now();
        let program = self.program;
        // The program itself is weir's child: its end will be known.
        let others = self
            .images
            .iter_mut()
            .filter(|image| image.pid() != program);
        let ended: Vec<(u64, End)> = others
            .filter_map(|image| Some((image.number(), image.end_if_due(instant)?)))
            .collect();
        if ended.iter().any(|(_, end)| end.how == EndKind::Exec) {
            // What it became may have come and gone since the last scan.
            self.look();
        }
        for (number, end) in ended {
            if let Some(index) = self
                .images
                .iter()
                .position(|image| image.number() == number)
            {
                let image = self.images.swap_remove(index);
                self.close(image, moment::now(), end).remove();
            }
        }
    }

    fn fold_unseen(&mut self) {
        let unseen = self.images.iter().filter(|image| !image.was_seen());
        let too_many = unseen.count().saturating_sub(MAX_UNSEEN);
        for _ in 0..too_many {
            let oldest = (0..self.images.len())
                .filter(|&index| !self.images[index].was_seen())
                .min_by_key(|&index| self.images[index].started().monotonic_ns);
            if let Some(index) = oldest {
                let image = self.images.swap_remove(index);
                let end = image.end_by_its_word();
                self.close(image, moment::now(), end).remove();
            }
        }
    }

    fn keep(&mut self, process: Process) {
        if let Some(last) = process.timeline.points.last() {
            add(&mut self.ended_counts, last);
        }
        self.ended.add(without_repetition(process), &mut self.told);
    }

    /// Folds an image that has no traced successor.
    fn close(&mut self, mut image: Image, now: Moment, end: End) -> RegionFile {
        note_starts(&mut self.starts, &image);
        note_ends(&mut self.told, &mut image, true);
        let (pid, parent) = (image.pid(), image.parent_pid());
        let began = image.started().ticks;
        let end = self.told.end(end, pid, parent, began);
        let children = image.children();
        let (mut process, file) = image.close(now, end);
        if children > 0 {
            process.missed.notes.push(of_children(children));
        }
        // What it became may have been found first, and have ended.
        if process.end.how == EndKind::Exec
            && !self.starts.is_awaited(pid)
            && !self.starts.has_seen_after(pid, began)
        {
            process.missed.notes.push(BECAME_UNKNOWN.to_owned());
        }
        self.keep(process);
        file
    }
}

/// Adds the counts of a point; not what was live.
fn add(to: &mut TimelinePoint, of: &TimelinePoint) {
    for (to, by) in [
        (&mut to.alloc_calls, of.alloc_calls),
        (&mut to.read_bytes, of.read_bytes),
        (&mut to.written_bytes, of.written_bytes),
    ] {
        *to = to.saturating_add(by);
    }
}

/// The note on children that may still run.
fn of_children(count: u64) -> String {
    let who = if count == 1 {
        "1 forked process".to_owned()
    } else {
        format!("{count} forked processes")
    };
    format!(
        "when the program ended, {who} had not made a call, or still counted here: nothing later is told"
    )
}

/// An image that began by fork finds its functions where its parent found them: in a storm of forks that would be
/// most of the report.
fn without_repetition(mut process: Process) -> Process {
    if process.forked {
        process.provenance.clear();
    }
    process
}

/// Notes the programs that were started from an image; how many there were.
fn note_starts(starts: &mut Starts, image: &Image) -> usize {
    let (by, mut count) = (image.pid(), 0);
    image.take_starts(|start| {
        starts.note(by, start);
        count += 1;
    });
    count
}

/// Notes how the children of an image ended that it has waited for.
fn note_ends(told: &mut Told, image: &mut Image, is_last: bool) {
    let by = image.pid();
    image.take_ends(is_last, |end| told.note(by, end));
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::ExitStatusExt;

    use weir_record::region::{Header, Phase, Room};

    use super::*;

    /// A region of this process, of an image that started so many nanoseconds after others.
    fn region(after_ns: u64, phase: Phase) -> File {
        // SAFETY: the header is made of atomics, for which zeroes are valid.
        let header = unsafe { Box::<Header>::new_zeroed().assume_init() };
        header.prepare(Room {
            files: 0,
            slots: 0,
            coroutines: 0,
            nodes: 0,
            modules: 0,
            interpreted: 0,
        });
        header.started.set(Moment {
            ticks: 1000 + after_ns,
            monotonic_ns: 1000 + after_ns,
            unix_ns: 1000 + after_ns,
        });
        header
            .pid
            .store(std::process::id(), std::sync::atomic::Ordering::Relaxed);
        let executable = std::env::current_exe().unwrap();
        header.executable.set(executable.as_os_str().as_bytes());
        header.complete();
        header.set_phase(phase);
        // SAFETY: the bytes of the header, which has no padding that was not zeroed with it.
        let bytes = unsafe {
            std::slice::from_raw_parts((&raw const *header).cast::<u8>(), size_of::<Header>())
        };
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn handed(file: File) -> Image {
        Image::handed(file).expect("a region")
    }

    /// Of two images of a process, in whatever order they are found, the one that started first became the other.
    #[test]
    fn the_image_that_started_later_is_what_the_other_became() {
        for phase in [Phase::Running, Phase::Replacing] {
            for order in [&[0, 10][..], &[10, 0], &[20, 0, 10], &[10, 20, 0]] {
                let directory = tempfile::tempdir().unwrap();
                let mut collector = Collector::new(directory.path(), None, 0);
                let last = order.len() as u64 * 10 - 10;
                for &start in order {
                    let phase = if start == last { Phase::Running } else { phase };
                    collector.adopt_all(vec![handed(region(start, phase))]);
                }
                // Only what still runs is watched.
                let watched: Vec<_> = collector.images.iter().map(Image::started).collect();
                assert_eq!(watched.len(), 1, "{phase:?}, {order:?}");
                assert_eq!(watched[0].unix_ns, 1000 + last, "{phase:?}, {order:?}");
                let processes = collector.finish(ExitStatus::from_raw(0), moment::now());
                let told: Vec<_> = processes
                    .iter()
                    .map(|process| (process.started_unix_ns - 1000, process.end.how))
                    .collect();
                let expected: Vec<_> = (0..last)
                    .step_by(10)
                    .map(|start| (start, EndKind::Exec))
                    .chain([(last, EndKind::Running)])
                    .collect();
                assert_eq!(told, expected, "{phase:?}, {order:?}");
            }
        }
    }

    /// One of two images was handed over, and has ended when the other is found, which has a name.
    #[test]
    fn what_an_image_became_is_known_when_it_has_ended() {
        for (first, notes) in [(10, &[][..]), (0, &[BECAME_UNKNOWN.to_owned()])] {
            let directory = tempfile::tempdir().unwrap();
            let mut collector = Collector::new(directory.path(), None, 0);
            collector.adopt_all(vec![handed(region(first, Phase::Exiting))]);
            let image = collector.images.pop().expect("an image");
            collector
                .close(image, moment::now(), super::super::ending::exited(Some(0)))
                .remove();
            collector.adopt_all(vec![handed(region(5, Phase::Replacing))]);
            let processes = collector.finish(ExitStatus::from_raw(0), moment::now());
            let replaced = processes.iter().find(|of| of.end.how == EndKind::Exec);
            assert_eq!(replaced.expect("an exec").missed.notes, notes, "{first}");
        }
    }

    #[test]
    fn what_is_no_region_is_counted_and_what_is_no_report_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        fs::write(file("7-1.region"), "unfinished").unwrap();
        fs::write(file("7-2.region"), vec![b'x'; 1 << 20]).unwrap();
        fs::create_dir(file("7-3.region")).unwrap();
        fs::write(file("7-4.json"), "{}").unwrap();
        fs::write(file("7-5.json.tmp"), "not yet").unwrap();
        let mut collector = Collector::new(directory.path(), None, 7);
        collector.turn(true);
        assert_eq!(collector.finish(ExitStatus::from_raw(0), moment::now()), []);
        assert_eq!(collector.unread(), 3);
        assert!(!collector.found_other_version());
        assert!(!file("7-4.json").exists());
        assert!(file("7-5.json.tmp").exists());
    }

    #[test]
    fn a_session_that_is_gone_is_no_trouble() {
        let mut collector = Collector::new(Path::new("/nonexistent"), None, 7);
        assert_eq!(collector.turn(true), 0);
        assert_eq!(collector.finish(ExitStatus::from_raw(0), moment::now()), []);
    }
}
