//! Gathers what the processes of the program's tree record: finds their regions, drains them, and
//! folds every image into its part of the report as soon as it has ended, so that very many
//! short-lived processes take no more memory than their numbers do.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use weir_record::clock::Moment;
use weir_report::model::{End, EndKind, Process, TimelinePoint, TreePeak};

use super::allowance::Allowance;
use super::arrivals::{Arrivals, Pass};
use super::ended::Ended;
use super::ending;
use super::identity::Identity;
use super::image::{Image, RegionFile};
use super::images::Images;
use super::inbox::Inbox;
use super::moment;
use super::names::Names;
use super::noted_ends::{self, NotedEnds};
use super::orphans;
use super::pace;
use super::progress::Sums;
use super::seen::Search;
use super::started::Starts;
use super::tree_peak;

/// How many files without a name weir has open at the most: descriptors are limited.
const MOST_NAMELESS: usize = 128;
/// How many images whose process could not be seen are kept while they do not say that they end.
const MAX_UNSEEN: usize = 256;
/// How many images wait for a search of their processes that is not due yet.
const MOST_WAITING: usize = 64;

/// How many images that became others by exec wait until it is known what they became.
const MAX_BECOMING: usize = 1000;

const BECAME_UNKNOWN: &str =
    "what it became by exec was not traced, and what that was is not known";

/// What is known of the tree so far.
#[derive(Debug)]
pub struct Collector {
    /// The process that weir itself waits for.
    program: u32,
    arrivals: Arrivals,
    images: Images,
    search: Search,
    /// Images that became others by exec, by number, and the pass that finds what they became.
    becoming: HashMap<u64, Pass>,
    /// How many images there have been.
    adopted: u64,
    ended: Ended,
    /// The regions that were there at the end, until the report is written.
    last: Vec<RegionFile>,
    names: Names,
    first_started: Option<Moment>,
    starts: Starts,
    noted: NotedEnds,
    tree_peak: tree_peak::Watch,
    /// What may be spent on looks at threads.
    allowance: Allowance,
    /// The place of the image that was looked at first in the last turn.
    first_looked: usize,
    /// The counts of the images that have ended.
    ended_counts: TimelinePoint,
}

impl Collector {
    /// A collector for the program with this process id, and what it starts.
    pub fn new(directory: &Path, inbox: Option<Inbox>, program: u32) -> Collector {
        Collector {
            program,
            arrivals: Arrivals::new(directory, inbox),
            images: Images::default(),
            search: Search::default(),
            becoming: HashMap::new(),
            adopted: 0,
            ended: Ended::default(),
            last: Vec::new(),
            names: Names::new(directory),
            first_started: None,
            starts: Starts::default(),
            noted: NotedEnds::default(),
            tree_peak: tree_peak::Watch::default(),
            allowance: Allowance::default(),
            first_looked: 0,
            ended_counts: TimelinePoint::default(),
        }
    }

    /// What becomes readable when the next process appears. None where processes have appeared lately: more may come soon, and those
    /// that come together are looked at together.
    pub fn next_process(&self) -> Option<BorrowedFd<'_>> {
        self.arrivals.next()
    }

    /// Looks at everything once, but not for new processes where it is known that none has [appeared](Self::next_process). Returns how
    /// many samples the fullest ring had; where programs were started, which also take room that is limited, no less than a busy one has.
    pub fn turn(&mut self, may_have_appeared: bool) -> usize {
        self.take(may_have_appeared);
        let now = moment::now();
        let mut fullest = 0;
        let running = self.images.count();
        for image in self.images.iter_mut() {
            fullest = fullest.max(image.poll(now, running).fullest_ring);
            if note_starts(&mut self.starts, image) > 0 {
                fullest = fullest.max(pace::BUSY_RING);
            }
            if note_ends(&mut self.noted, image, false) > 0 {
                fullest = fullest.max(pace::BUSY_RING);
            }
        }
        if self.arrivals.is_amid() {
            fullest = fullest.max(pace::BUSY_RING);
        }
        let running = self.images.iter().filter(|image| !image.is_leaving());
        self.tree_peak
            .look(running.map(|image| (image.pid(), image.live_bytes())), now);
        self.look(now);
        self.note_orphans();
        self.search(false);
        self.fold_ended();
        self.fold_unseen();
        fullest
    }

    /// Looks at threads that are in slow calls. Every image is the first one in turn.
    fn look(&mut self, now: Moment) {
        self.allowance.add_up_to(now.monotonic_ns);
        let count = self.images.count();
        self.first_looked = (self.first_looked + 1).checked_rem(count).unwrap_or(0);
        for places in [self.first_looked..count, 0..self.first_looked] {
            let images = self.images.iter_mut().skip(places.start).take(places.len());
            images.for_each(|image| image.look(now, &mut self.allowance));
        }
    }

    /// What all images have counted, and how many run. The live bytes are those of images that run.
    pub fn sums(&self) -> Sums {
        let mut sums = Sums {
            running: self.images.count() as u64,
            counts: self.ended_counts.clone(),
        };
        for image in self.images.iter() {
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
        let count = self.images.count();
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
        self.take_all();
        self.note_orphans();
        self.search(true);
        for image in self.images.iter_mut() {
            note_starts(&mut self.starts, image);
            note_ends(&mut self.noted, image, true);
        }
        let running = self.images.count();
        let images = self.images.take_all();
        for mut image in images {
            let end = if let Some(end) = image.kept() {
                Some(end)
            } else if is_program(self.program, &image) {
                Some(image.end_with(status))
            } else if image.was_seen() && !image.is_replacing() {
                // Another may have its id now.
                let is_ended = self.noted.is_ended(&image.identity());
                let noted = is_ended.then(|| image.end_by_its_word());
                noted.or_else(|| image.end())
            } else {
                Some(image.end_by_its_word())
            };
            let file = match end {
                Some(end) => self.close(image, now, end),
                None => {
                    let identity = image.identity();
                    self.keep(image.process(now, ending::running(), running), identity);
                    image.leave()
                }
            };
            self.last.push(file);
        }
        let ended = std::mem::take(&mut self.ended);
        let mut processes = ended.finish(&mut self.noted);
        self.noted
            .add_failed_without_image(&self.starts, &mut processes);
        self.starts.settle(&mut processes);
        processes
    }

    /// From now on, no region is taken. Those that are in a report are removed. Returns how many are in none, and where they are.
    pub fn settle(&mut self, has_report: bool) -> Option<(usize, PathBuf)> {
        self.arrivals.close();
        let mut kept = self.arrivals.kept();
        for file in std::mem::take(&mut self.last) {
            if has_report {
                file.remove();
            } else {
                kept += usize::from(file.keep(&mut self.names));
            }
        }
        let kept = Some(kept).filter(|&kept| kept > 0)?;
        self.names.keep().map(|directory| (kept, directory))
    }

    /// When the first image started.
    pub fn first_started(&self) -> Option<Moment> {
        self.first_started
    }

    /// Where the regions are that had no name at first, once one of them has lasted.
    pub fn named(&self) -> Option<&Path> {
        self.names.directory()
    }

    /// How many regions could not be read: their processes ended while they made them, or the system will
    /// not have them mapped.
    pub fn unread(&self) -> usize {
        self.arrivals.unread()
    }

    /// Whether there were regions that another version of the library made.
    pub fn found_other_version(&self) -> bool {
        self.arrivals.found_other_version()
    }

    /// Takes some of what is new.
    fn take(&mut self, may_have_been_handed: bool) {
        let arrived = self.arrivals.take(may_have_been_handed, &mut self.names);
        for path in arrived.reports {
            for process in self.arrivals.report(&path) {
                self.starts.see(process.pid, u64::MAX);
                let identity = Identity::unknown(process.pid, process.parent_pid);
                self.keep(process, identity);
            }
        }
        let mut images = arrived.images;
        images.sort_by_key(|image| image.started().monotonic_ns);
        for image in images {
            self.adopt(image);
        }
        self.name();
    }

    /// Takes all that there is now. Where that is more than is taken at once, what has ended is folded between.
    fn take_all(&mut self) {
        let pass = self.arrivals.pass();
        // One that has begun comes before.
        loop {
            self.take(true);
            if self.arrivals.has_made(pass) {
                break;
            }
            for image in self.images.iter_mut() {
                note_starts(&mut self.starts, image);
                note_ends(&mut self.noted, image, false);
            }
            self.search(false);
            self.fold_ended();
            self.fold_unseen();
        }
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

    fn adopt(&mut self, image: Image) {
        let started = image.started();
        if self
            .first_started
            .is_none_or(|first| started.monotonic_ns < first.monotonic_ns)
        {
            self.first_started = Some(started);
        }
        self.see(&image);
        self.adopted += 1;
        let is_known = !image.needs_search();
        let number = self.images.add(image);
        if is_known {
            self.order(number);
        }
    }

    fn see(&mut self, image: &Image) {
        self.noted.see(&image.identity());
        self.starts.see(image.pid(), image.started().ticks);
        // Its parent may have another id of it.
        if image.pid_here() != image.pid() {
            self.starts.see(image.pid_here(), image.started().ticks);
        }
    }

    /// Finds other images of the same process: those that began before another became that one.
    fn order(&mut self, number: u64) {
        let Some(image) = self.images.get(number) else {
            return;
        };
        let began = image.started().monotonic_ns;
        let others = self.images.of(image.pid_here()).filter(|(place, other)| {
            *place != number && !other.needs_search() && other.can_be_of_process_of(image)
        });
        // Two that cannot be seen may have the same id in namespaces of their own.
        let may_go_on = |image: &Image| image.was_seen() || image.is_replacing();
        let (later, earlier): (Vec<_>, Vec<_>) =
            others.partition(|(_, other)| other.started().monotonic_ns > began);
        let next = later
            .iter()
            .min_by_key(|(_, other)| other.started().monotonic_ns)
            .filter(|_| may_go_on(image));
        let earlier = earlier.iter().filter(|(_, other)| may_go_on(other));
        let mut earlier: Vec<(u64, bool)> = earlier
            .map(|&(number, _)| (number, image.is_forked()))
            .collect();
        if let Some((_, next)) = next {
            // The other was handed over, and this one found.
            earlier.push((number, next.is_forked()));
        }
        for (number, is_forked) in earlier {
            if let Some(predecessor) = self.images.take(number) {
                self.succeeded(predecessor, is_forked);
            }
        }
    }

    /// An image of whose process, or of another that had its id, there is a later one, which began by fork, or not.
    fn succeeded(&mut self, mut image: Image, by_forked: bool) {
        note_starts(&mut self.starts, &image);
        note_ends(&mut self.noted, &mut image, true);
        let end = image.kept();
        let end = end.unwrap_or_else(|| match by_forked {
            // So it is another process.
            true => image.end_by_its_word(),
            false => image.end_before_successor(),
        });
        let (end, now) = match image.is_replacing() {
            true => (end, moment::now()),
            false => self.noted_end(&image, end, moment::now()),
        };
        if image.is_shared() {
            image.keep(end);
            self.images.add(image);
        } else {
            let identity = image.identity();
            let (process, file) = image.close(now, end);
            self.keep(process, identity);
            self.remove(file);
        }
    }

    /// Folds the images that have ended. What became another image by exec waits until that must have been found, too: it may have come
    /// and gone since.
    fn fold_ended(&mut self) {
        let instant = Instant::now();
        let program = self.program;
        // The program itself is weir's child: its end will be known.
        let others = self
            .images
            .numbered()
            .filter(|(_, image)| !is_program(program, image));
        let ended: Vec<(u64, End)> = others
            .filter_map(|(number, image)| Some((number, image.end_if_due(instant)?)))
            .collect();
        let mut waited = std::mem::take(&mut self.becoming);
        for (number, end) in ended {
            if end.how == EndKind::Exec && self.becoming.len() < MAX_BECOMING {
                let pass = waited.remove(&number);
                let pass = pass.unwrap_or_else(|| self.arrivals.pass());
                if !self.arrivals.has_made(pass) {
                    self.becoming.insert(number, pass);
                    continue;
                }
            }
            self.fold(number, |_| end);
        }
    }

    /// How and when an image ended, as was noted of its process, or else so. /proc may have shown a later process with its id, which began
    /// in the same clock tick: then the image's own one was waited for before.
    fn noted_end(&mut self, image: &Image, end: End, now: Moment) -> (End, Moment) {
        let identity = image.identity();
        let by_its_word = image.end_by_its_word();
        if noted_ends::is_open(&by_its_word) {
            self.note_ends_of(identity.parent);
        }
        match self.noted.take(&identity) {
            Some(noted) if noted_ends::is_open(&by_its_word) => {
                (noted_ends::known(&noted), image.moment_at(noted.ticks, now))
            }
            Some(noted) => (end, image.moment_at(noted.ticks, now)),
            None => (end, now),
        }
    }

    /// Looks at what images with this id have noted of their children since.
    fn note_ends_of(&mut self, parent: u32) {
        let parents = self.images.iter_mut();
        for image in parents.filter(|image| image.pid() == parent) {
            note_ends(&mut self.noted, image, false);
        }
    }

    fn note_orphans(&mut self) {
        for end in orphans::ends() {
            self.noted.note_orphan(end);
        }
    }

    /// Searches the processes of images that may be in other pid namespaces, if a search is due, or `must_be`.
    fn search(&mut self, must_be: bool) {
        let images = self.images.numbered();
        let searched = images.filter(|(_, image)| image.needs_search());
        let numbers: Vec<u64> = searched.map(|(number, _)| number).collect();
        if numbers.is_empty() {
            return;
        }
        let must_be = must_be || numbers.len() > MOST_WAITING;
        let Some(namespaced) = self.search.now(must_be) else {
            return;
        };
        for number in numbers {
            // It may have another id then.
            if let Some(mut image) = self.images.take(number) {
                image.search(&namespaced);
                self.see(&image);
                self.images.put(number, image);
                self.order(number);
            }
        }
    }

    fn fold_unseen(&mut self) {
        let unseen = self.images.numbered();
        let unseen = unseen.filter(|(_, image)| !image.was_seen());
        let mut unseen: Vec<_> = unseen
            .map(|(number, image)| (image.started().monotonic_ns, number))
            .collect();
        let too_many = unseen.len().saturating_sub(MAX_UNSEEN);
        unseen.sort_unstable();
        for &(_, oldest) in &unseen[..too_many] {
            self.fold(oldest, Image::end_by_its_word);
        }
    }

    fn fold(&mut self, number: u64, end: impl FnOnce(&Image) -> End) {
        if let Some(image) = self.images.take(number) {
            let end = end(&image);
            let file = self.close(image, moment::now(), end);
            self.remove(file);
        }
    }

    fn remove(&mut self, file: RegionFile) {
        if let Some(path) = file.remove() {
            self.arrivals.forget(&path);
        }
    }

    fn keep(&mut self, process: Process, identity: Identity) {
        if let Some(last) = process.timeline.points.last() {
            add(&mut self.ended_counts, last);
        }
        self.ended
            .add(without_repetition(process), identity, &mut self.noted);
    }

    /// Folds an image that has no traced successor.
    fn close(&mut self, mut image: Image, now: Moment, end: End) -> RegionFile {
        note_starts(&mut self.starts, &image);
        note_ends(&mut self.noted, &mut image, true);
        let identity = image.identity();
        let Identity {
            pid,
            began_ticks: began,
            ..
        } = identity;
        let (end, now) = match end.how {
            // What was waited for is what it became.
            EndKind::Exec => (end, now),
            _ => self.noted_end(&image, end, now),
        };
        let children = match image.children() {
            0 => 0,
            all => all.saturating_sub(self.noted.killed_without_image(&identity, &self.starts)),
        };
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
        self.keep(process, identity);
        file
    }
}

/// Whether an image is of the process with this id here, which is weir's child.
fn is_program(program: u32, image: &Image) -> bool {
    let may_be = image.was_seen() || image.parent_pid() == std::process::id();
    image.pid_here() == program && may_be
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
        "when the program ended, {who} had not made a call, or still counted here: nothing later is in this report"
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

/// Notes how the children of an image ended that it has waited for; how many there were.
fn note_ends(noted: &mut NotedEnds, image: &mut Image, is_last: bool) -> usize {
    let (by, mut count) = (image.identity(), 0);
    image.take_ends(is_last, |end| {
        noted.note(by.namespace, by.pid, end);
        count += 1;
    });
    count
}

#[cfg(test)]
pub mod tests;
