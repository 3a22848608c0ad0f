//! `weir run`: starts a program under the preloaded library and writes the report.
//!
//! ```text
//! environment   the program's environment
//! launch        fork and exec
//! limits        those on memory: weir's own, and the program's
//! supervisor    passes signals on, and reports the end of the program
//!   signals       those that weir takes, and what it does with them
//!   stopping      a program that stops, so that weir stops, too
//!   orphans       processes that weir inherits, as the first of a container
//!   no_memory     what remains to be done where weir has no memory
//!   hanging       a program that does not end, and has not loaded the library
//! collector     the processes of the program's tree: found, drained, folded when they have ended
//!   arrivals      what they leave for weir to find
//!     inbox         files of regions that have no name
//!       message       how they come
//!   names         names for those that last
//!   images        those that are watched
//!     image         one of them
//!   mapping       its region's memory
//!     shrinking     regions that are truncated while we read them
//!   seen          its process, as weir sees it
//!     life          whether it still runs
//!   outside       what is read of its process while it runs
//!     usage         what it takes of the machine
//!     title         what it calls itself
//!     looks         whether its threads sleep in slow calls
//!       allowance     what all looks may cost
//!   ending        how it ended
//!   ended         what is kept of images that have ended
//!   pace          how long to wait before looking again
//!   noted_ends    how processes ended, as their parents noted
//!     identity      which processes they mean
//!   namespaces    those of the kernel in which they live
//!   tree_peak     the largest heap of all of them at one moment
//!   started       the programs that they started, and which of them were never seen
//! live          what its processes do, on the terminal while they run
//! destination   the place of the report
//! folder        a report of every process image
//! moment        this moment
//! ```

mod allowance;
mod arrivals;
mod collector;
mod destination;
mod ended;
pub mod ending;
mod environment;
mod folder;
mod hanging;
pub mod identity;
mod image;
mod images;
mod inbox;
mod launch;
pub mod life;
mod limits;
pub mod live;
mod looks;
pub mod mapping;
mod message;
pub mod moment;
mod names;
pub mod namespaces;
mod no_memory;
pub mod noted_ends;
mod orphans;
mod outside;
mod pace;
mod progress;
pub mod seen;
mod shrinking;
mod signals;
mod started;
mod stopping;
mod supervisor;
pub mod title;
mod tree_peak;
pub mod usage;

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_record::clock::Moment;
use weir_record::settings::Stacks;
use weir_report::calendar::Utc;
use weir_report::model::{End, Process, Report};
use weir_report::{emit, recording};

use crate::cli::RunArgs;
use crate::exit_code::{self, ProgramEnd};
use crate::failure::{Failure, complain, with_causes};
use crate::library::Library;
use crate::session::Session;
use crate::summary::{Look, summary};
use crate::{doctor, sites, terminal, text};
use collector::Collector;
use destination::Destination;
use folder::Folder;
use inbox::Inbox;
use live::{Live, Show};
use pace::{Pace, Ticks};
use progress::Progress;
use supervisor::{Found, Supervisor};

/// Runs the program to its end, and returns how it ended. If a signal ended it, weir ends by the same signal. What it does
/// meanwhile, `show` shows, if that is asked for.
pub fn execute(args: &RunArgs, show: Show) -> Result<ProgramEnd, Failure> {
    let end = run(args, args.live.then_some(show))?.into();
    if let ProgramEnd::Signaled(signal) = end {
        signals::die_of(signal.into());
    }
    Ok(end)
}

/// Runs the program to its end, and returns how it ended.
pub fn record(args: &RunArgs) -> Result<ProgramEnd, Failure> {
    run(args, None).map(ProgramEnd::from)
}

fn run(args: &RunArgs, show: Option<Show>) -> Result<ExitStatus, Failure> {
    let Some(name) = args.program.first() else {
        return Err(Failure::new(exit_code::USAGE, "no program given"));
    };
    if args.lifetimes && args.stacks == Some(Stacks::Off) {
        let cause = "--lifetimes is of call sites, and --stacks off records none";
        return Err(Failure::new(exit_code::USAGE, cause));
    }
    let shown = show.map(|show| terminal::open().map(|tty| (tty, show)));
    let shown = shown.transpose()?;
    let findings = doctor::inspect(name)?;
    let (out, directory) = folder::asked(args);
    let folder = directory.map(Folder::make).transpose()?;
    let mut destination = Destination::asked(out, directory)?;
    let signals = signals::hold();
    if shown.is_some() {
        signals::hold_stops();
    }
    let limits = limits::raise();
    let session = Session::new()?;
    let inbox = Inbox::new(session.path());
    let library = Library::locate(session.path())?;
    findings.check(&library)?;
    let asked = environment::Asked {
        timing: args.time,
        follows: args.follow_cleared,
        is_parted: args.coop,
        stacks: args.stacks,
        has_lifetimes: args.lifetimes,
        follows_frame_pointers: args.frame_pointers,
    };
    let environment = environment::with(library.path(), session.path(), asked)
        .map_err(|error| Failure::of_weir("the library cannot be preloaded").because(error))?;

    let launched = moment::now();
    let pid = launch::start(&args.program, &environment, &signals, &limits)
        .map_err(|error| cannot_execute(name, error))?;
    let handed = inbox.as_ref().map(|inbox| inbox.as_fd().as_raw_fd());
    no_memory::stay_with(pid, session.path(), handed);
    let asked = hanging::Asked::default();
    let hanging = hanging::Watch::new(pid, asked.clone());
    let mut supervisor = Supervisor::new(pid, asked, inbox.is_none());
    if args.interval.is_some() {
        // A snapshot may have to wait for its reader.
        supervisor.be_independent();
    }
    destination.name_after(name, pid.cast_unsigned());

    let live = shown.map(|(tty, show)| Live::start(tty, session.path(), show));
    let mut recording = Recording {
        collector: Collector::new(session.path(), inbox, pid.cast_unsigned()),
        program: &args.program,
        launched,
        hanging,
        live,
        unrehearsed: Some(look(args)),
        keeps_all: args.all_processes,
    };
    let progress = args.progress.then(Progress::new).flatten();
    let status = recording.watch(&mut supervisor, args.interval, progress, &mut destination);
    let other_version = recording.collector.found_other_version();
    let was_ended = recording.hanging.ended_by().is_some();
    let mut report = recording.finish(status);
    report.processes.iter_mut().for_each(sites::name_made_code);
    signals::write_also_in_the_background();

    if other_version {
        complain(&format!(
            "{} is of another version of Weir, and this command cannot read its regions",
            library.path().display()
        ));
    } else if report.processes.is_empty() && !was_ended {
        complain(&format!(
            "no process loaded {}, so nothing was measured; check that the library can be read, and that the program does not ignore LD_PRELOAD",
            library.path().display()
        ));
    }
    if let Some(Err(failure)) = folder.map(|folder| folder.write(&report)) {
        complain(&format!(
            "{}; some processes have no report of their own",
            failure.in_one_line()
        ));
    }
    recording.fold(&mut report);
    let written = write(&report, &mut destination);
    no_memory::is_written(!args.quiet);
    // Where there was no memory for the report, or no way to write it, the regions are what is left.
    if let Some((count, directory)) = recording.collector.settle(written.is_some()) {
        complain(&format!(
            "{} in no report and kept; make reports by weir recover {}/*",
            text::counted(count as u64, "region is", "regions are"),
            directory.display()
        ));
    }
    drop(session);
    if let Some(path) = written.filter(|_| !args.quiet) {
        // If standard error is closed, there is no reader.
        let _ = summary(&report, &path, look(args), &mut std::io::stderr().lock());
    }
    // The process ends, and its memory with it: to free a report takes time for nothing.
    std::mem::forget(report);
    Ok(status)
}

/// How the summary is shown.
fn look(args: &RunArgs) -> Look {
    Look::new(args.sort, args.top.map(|top| top as usize))
}

/// How long to leave the processor to a program that has just been executed. The kernel makes a little more of it.
const UNTIL_STARTED: Duration = Duration::from_micros(20);

/// A recording in progress.
struct Recording<'a> {
    collector: Collector,
    program: &'a [OsString],
    launched: Moment,
    hanging: hanging::Watch,
    /// Where it is shown, until the program has ended.
    live: Option<Live>,
    /// How the summary will be shown, until [`Recording::rehearse`] has been called.
    unrehearsed: Option<Look>,
    /// Whether reports have an entry for each image also where there are very many.
    keeps_all: bool,
}

impl Recording<'_> {
    /// Gathers what is recorded until the program has ended; how it did.
    fn watch(
        &mut self,
        supervisor: &mut Supervisor,
        interval: Option<Duration>,
        mut progress: Option<Progress>,
        destination: &mut Destination,
    ) -> ExitStatus {
        let clear = |progress: &mut Option<Progress>| {
            if let Some(progress) = progress {
                progress.clear();
            }
        };
        let mut snapshots = interval.map(Ticks::new);
        let mut pace = Pace::new();
        loop {
            let wait = snapshots.as_ref().map_or(Duration::MAX, Ticks::wait);
            let mut wait = wait.min(pace.wait());
            if self.unrehearsed.is_some() {
                wait = wait.min(UNTIL_STARTED);
            }
            if let Some(progress) = &progress {
                wait = wait.min(progress.wait());
            }
            let found = supervisor.wait(wait, self.collector.next_process());
            if let Found::End(status) = found {
                clear(&mut progress);
                if let Some(live) = self.live.take() {
                    live.end();
                }
                let in_place = self.hanging.ended_by().map(ExitStatus::from_raw);
                return in_place.unwrap_or(status);
            }
            if snapshots.as_mut().is_some_and(Ticks::is_due) {
                let now = moment::now();
                let processes = self.collector.snapshot(now);
                let mut report = self.report(processes, ending::running(), now);
                self.fold(&mut report);
                if let Err(failure) = destination.write(&report) {
                    clear(&mut progress);
                    complain(&format!(
                        "{}; the report will be written only at the end",
                        failure.in_one_line()
                    ));
                    snapshots = None;
                }
            }
            let may_have_appeared = !matches!(found, Found::Nothing);
            pace.adapt(self.collector.turn(may_have_appeared));
            if let Some(live) = &self.live {
                live.show_named(self.collector.named());
            }
            if let Some(progress) = &mut progress
                && progress.is_due()
            {
                progress.show(self.collector.sums());
            }
            if let Some(look) = self.unrehearsed.take() {
                self.rehearse(look);
            }
            if self.collector.first_started().is_none()
                && let Some(said) = self.hanging.look()
            {
                clear(&mut progress);
                complain(&format!("{} {said}", self.program[0].display()));
            }
        }
    }

    /// Makes a report and its summary, for nobody, while the program starts. The first time takes several times as long,
    /// because the kernel has to map code and memory; and at the end, the caller waits for weir.
    ///
    /// After a wait: until then, the program waits for the processor that weir is on. The kernel wakes a parent where its child is,
    /// once the child has executed the program; after the wait it has weir run on another, if there is one.
    fn rehearse(&mut self, look: Look) {
        moment::is_steady();
        let now = moment::now();
        let processes = self.collector.snapshot(now);
        let report = self.report(processes, ending::running(), now);
        drop(emit::to_json(&report));
        let _ = summary(&report, Path::new(""), look, &mut std::io::sink());
    }

    fn finish(&mut self, status: ExitStatus) -> Report {
        let now = moment::now();
        let processes = self.collector.finish(status, now);
        let mut report = self.report(processes, ending::known(status), now);
        let unread = self.collector.unread();
        if unread > 0 {
            report.missed.notes.push(format!(
                "{} could not be read: their calls are not in this report",
                text::counted(unread as u64, "region", "regions")
            ));
        }
        report
    }

    /// Folds those of very many images that are not of interest, unless all are to be kept.
    fn fold(&self, report: &mut Report) {
        if !self.keeps_all {
            recording::fold_what_is_not_of_interest(report);
        }
    }

    fn report(&self, processes: Vec<Process>, end: End, now: Moment) -> Report {
        let began = self.collector.first_started().unwrap_or(self.launched);
        let ran_ns = now.monotonic_ns.saturating_sub(began.monotonic_ns);
        let mut report = recording::report(processes, end, ran_ns);
        if report.processes.is_empty() {
            report.started_unix_ns = began.unix_ns;
            report.started_at = Some(Utc::of_unix_ns(began.unix_ns).to_string());
            report.command = self
                .program
                .iter()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect();
        }
        report.tree_peak = self.collector.tree_peak();
        report.tool.writer_cpu_ns = own_processor_time_ns();
        report
    }
}

/// Writes the report; where it is then. The program has run, and its status is what counts from here on.
fn write(report: &Report, destination: &mut Destination) -> Option<PathBuf> {
    let failure = match destination.write(report) {
        Ok(path) => return Some(path.to_owned()),
        Err(failure) => failure.in_one_line(),
    };
    match destination.write_elsewhere(report) {
        Ok(path) => {
            complain(&format!("{failure}; the report is in {}", path.display()));
            Some(path)
        }
        Err(error) => {
            complain(&format!(
                "{failure}; the directory for temporary files does not take it either: {}",
                with_causes(&error)
            ));
            None
        }
    }
}

fn cannot_execute(program: &std::ffi::OsStr, error: std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => exit_code::NOT_FOUND,
        _ => exit_code::CANNOT_TRACE,
    };
    Failure::new(code, format!("{} cannot be executed", program.display())).because(error)
}

fn own_processor_time_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |number| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec)
        .saturating_mul(1_000_000_000)
        .saturating_add(part(time.tv_nsec))
}
