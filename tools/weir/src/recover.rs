//! `weir recover`: a report from the region that a killed program left.
//!
//! The file may have any content.

pub mod copied;
pub mod lying;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use weir_record::clock::{Moment, Rate};
use weir_record::functions::Family;
use weir_record::region::{Circumstance, Header, Phase, Region};
use weir_report::model::{End, Process, Report};
use weir_report::{emit, recording};

use crate::cli::{RecoverArgs, Sort};
use crate::failure::{self, Failure};
use crate::run::identity::Identity;
use crate::run::mapping::Mapping;
use crate::run::noted_ends::{NotedEnds, is_open};
use crate::run::seen::Seen;
use crate::run::usage::FileId;
use crate::run::{ending, moment, namespaces};
use crate::session::{self, Searched};
use crate::summary::{Look, summary};
use crate::{output, text};
use copied::{Copied, cannot_recover, maker_of, open, region_of};

/// Over less than this, reading the clocks takes too large a part for a rate.
const MIN_BASELINE_NS: u64 = 1_000_000;

const NO_HISTOGRAMS: &str = "recovered from the region: counts, totals, means and maxima are complete, but percentiles are of the last samples only; the writer had the other samples, and ended with the process";

const COUNTED_ON: &str = "the process had also written a report, when it began to end or to execute another program, and then counted on: this report has all of that one";

const END_UNKNOWN: &str = "the time at which the process ended is not known: times end with the last one that it recorded";

/// Reads a region, or all that lie where the library makes them, and writes the reports.
pub fn execute(args: &RecoverArgs) -> Result<(), Failure> {
    match &args.region {
        Some(region) => one(region, args),
        None => all(args),
    }
}

fn one(path: &Path, args: &RecoverArgs) -> Result<(), Failure> {
    if args.clean && is_unbegun(path) {
        let line = of_unbegun(&[path.to_owned()], args);
        let _ = writeln!(io::stderr(), "weir: {line}");
        return Ok(());
    }
    let recovered = recover(path, &mut noted(&lying::beside(path)))?;
    if recovered.has_report {
        if args.out.is_some() {
            return Err(cannot_recover(path)
                .because(format!("its process {}", recovered.how_reported()))
                .with_remedy("use that report; weir recover --clean removes the region"));
        }
        let line = of_reported(&recovered, path, args)?;
        let _ = writeln!(io::stderr(), "weir: {}", text::printable(&line));
        return Ok(());
    }
    let written = write(&recovered.report, path, args)?;
    let mut err = io::stderr().lock();
    // The report is written. If standard error is closed, there is no reader.
    if recovered.runs {
        let pid = recovered.pid;
        let _ = writeln!(
            err,
            "weir: process {pid} still runs: the report has what it recorded until now"
        );
    }
    let look = Look::new(Sort::default(), None);
    let _ = summary(&recovered.report, &written, look, &mut err);
    if args.clean && !recovered.runs {
        recovered.remove(path)?;
    }
    Ok(())
}

/// Lists what lies there, a line each, and makes a report of each region whose process has ended.
fn all(args: &RecoverArgs) -> Result<(), Failure> {
    let directories = directories(args.clean)?;
    let mut lines = String::new();
    let mut failed = 0;
    let regions: Vec<PathBuf> = directories
        .iter()
        .flat_map(|of| lying::regions(of))
        .collect();
    let mut noted = noted(&regions);
    let (unbegun, regions): (Vec<PathBuf>, Vec<PathBuf>) =
        regions.into_iter().partition(|path| is_unbegun(path));
    for path in &regions {
        let line = match of_many(path, args, &mut noted) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(failure) => {
                failed += 1;
                failure.in_one_line()
            }
        };
        lines += &text::printable(&line);
        lines.push('\n');
    }
    if !unbegun.is_empty() {
        lines += &of_unbegun(&unbegun, args);
        lines.push('\n');
    }
    if args.clean {
        let sessions = directories
            .iter()
            .flat_map(|of| lying::remove_abandoned(of));
        for session in sessions {
            let line = format!("{}: a session without regions, removed", session.display());
            lines += &text::printable(&line);
            lines.push('\n');
        }
        match lying::remove_temporaries(Path::new(".")) {
            0 => {}
            number => {
                let reports = text::counted(number, "report that has", "reports that have");
                lines += &format!("{reports} no name in this directory, removed\n");
            }
        }
    }
    if lines.is_empty() {
        let names: Vec<_> = directories.iter().map(|of| of.to_string_lossy()).collect();
        lines = format!("no region in {}\n", text::printable(&text::list(&names)));
    }
    output::print(&lines)?;
    if failed > 0 {
        return Err(Failure::of_weir(format!(
            "{} not recovered",
            text::counted(failed, "region was", "regions were")
        )));
    }
    Ok(())
}

/// Where regions are looked for. Says so if that is elsewhere than one would expect.
fn directories(cleans: bool) -> Result<Vec<PathBuf>, Failure> {
    let Searched { mut set, others } = session::searched()?;
    if let Some((others, why)) = others {
        let set_now = set[0].display();
        let names: Vec<_> = others.iter().map(|of| of.to_string_lossy()).collect();
        let consequence = match cleans {
            true => "are left alone: --clean without WEIR_REGION_DIR removes them",
            false => "are looked at, too",
        };
        let names = text::list(&names);
        failure::complain(&format!(
            "weir run makes no regions in {set_now} now ({why}); the regions in {names} {consequence}"
        ));
        if !cleans {
            set.extend(others);
        }
    }
    Ok(set)
}

fn is_unbegun(path: &Path) -> bool {
    open(path).is_ok_and(|file| lying::is_unbegun(&file, path))
}

/// What is said of regions that their processes only began to make.
fn of_unbegun(regions: &[PathBuf], args: &RecoverArgs) -> String {
    let words = |number: usize| {
        let number = number as u64;
        text::counted(number, "region of a process", "regions of processes")
    };
    let ended = "that ended before anything was counted";
    if !args.clean {
        return format!(
            "{} {ended}; --clean removes such files",
            words(regions.len())
        );
    }
    let removed = regions.iter().filter(|path| lying::remove(path).is_ok());
    format!("{} {ended}, removed", words(removed.count()))
}

/// What is said of one of many. Nothing of a region that is gone by now: its process has just ended, and has written its report.
fn of_many(
    path: &Path,
    args: &RecoverArgs,
    noted: &mut NotedEnds,
) -> Result<Option<String>, Failure> {
    let region = path.display();
    let recovered = match recover(path, noted) {
        Err(_) if open(path).is_ok_and(|file| lying::is_used(&file, path, 0)) => {
            return Ok(Some(format!(
                "{region}: a program has just started to use it"
            )));
        }
        Err(_) if is_gone(path) => return Ok(None),
        recovered => recovered?,
    };
    if !recovered.is_still_there(path) {
        return Ok(None);
    }
    let pid = recovered.pid;
    let program = recovered.report.command.first().map_or("", String::as_str);
    let program = text::file_name(program);
    if recovered.runs {
        return Ok(Some(format!(
            "{region}: process {pid} ({program}) still runs"
        )));
    }
    if recovered.has_report {
        return of_reported(&recovered, path, args).map(Some);
    }
    let written = write(&recovered.report, path, args)?;
    let mut line = format!(
        "{region}: process {pid} ({program}), report in {}",
        written.display()
    );
    if args.clean {
        recovered.remove(path)?;
        line += ", removed";
    }
    Ok(Some(line))
}

fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// What is said of a region whose image wrote its report itself, and of which no second one is made.
fn of_reported(recovered: &Recovered, path: &Path, args: &RecoverArgs) -> Result<String, Failure> {
    let pid = recovered.pid;
    let program = recovered.report.command.first().map_or("", String::as_str);
    let program = text::file_name(program);
    let region = path.display();
    let how = recovered.how_reported();
    let line = format!("{region}: process {pid} ({program}) {how}");
    if !args.clean || recovered.runs {
        return Ok(format!(
            "{line}; --clean removes the region once the process has ended"
        ));
    }
    recovered.remove(path)?;
    Ok(line + ", removed")
}

/// Whether the image wrote a report that has all that was counted here. After that report, other threads count until the kernel ends
/// them or the process, and processes that share the region until they end.
fn has_report(header: &Header, report: &Report) -> bool {
    let counted = report.processes.iter().map(Process::calls);
    header.reported_calls() == Some(counted.fold(0, u64::saturating_add))
}

/// What was read of a region.
struct Recovered {
    report: Report,
    pid: u32,
    /// Held until all is done: another weir recover waits for that.
    file: File,
    /// Whether a process still counts in it, or the process executes another program now: that one takes the region's name.
    runs: bool,
    /// Whether the image has written its report itself, and nothing was counted after that.
    has_report: bool,
    /// Whether it was about to execute another program.
    is_replaced: bool,
}

impl Recovered {
    /// When it wrote its report itself.
    fn how_reported(&self) -> &'static str {
        match self.is_replaced {
            true => "wrote its report when it executed another program",
            false => "wrote its report when it ended",
        }
    }

    /// Whether the name is that of the file that was read. If not, the process has ended just now and written its report, or
    /// another weir recover was at work.
    fn is_still_there(&self, path: &Path) -> bool {
        let read = self.file.metadata().map(|of| FileId::of(&of)).ok();
        let there = fs::symlink_metadata(path).map(|of| FileId::of(&of)).ok();
        read.is_some() && read == there
    }

    /// Removes the file.
    fn remove(&self, path: &Path) -> Result<(), Failure> {
        match self.is_still_there(path) {
            true => lying::remove(path).map_err(|error| Failure::of_file("remove", path, error)),
            false => Ok(()),
        }
    }
}

/// What the images of these regions noted of the ends of their children: for a killed child there is no other source.
fn noted(regions: &[PathBuf]) -> NotedEnds {
    let mut noted = NotedEnds::default();
    for path in regions {
        let header = open(path)
            .ok()
            .and_then(|file| Mapping::copy(&file, size_of::<Header>()).ok());
        if let Some(memory) = header
            && let Ok(region) = region_of(&memory)
        {
            let by = Identity::noted(region.header);
            noted.see(&by);
            if let Some(ends) = region.header.ends() {
                ends.show(0, true, |end| noted.note(by.namespace, by.pid, end));
            }
        }
    }
    noted
}

fn recover(path: &Path, noted: &mut NotedEnds) -> Result<Recovered, Failure> {
    let file = open(path)?;
    lying::lock(&file);
    // Asked first: what a process counts until its end must be in the copy.
    let is_used = lying::is_used(&file, path, maker_of(&file).map_or(0, |maker| maker.pid));
    let copied = Copied::of_file(file, None, path)?;
    let region = copied.region()?;
    let pid = region.header.pid.load(Ordering::Relaxed);
    let is_replaced = || region.header.followed_ticks().is_none() && Seen::is_there(region.header);
    let runs = is_used || is_replaced();
    // By the clock of the region.
    let now = moment::now().shifted(-namespaces::clock_shift_ns(region.header, None));
    let (end, at) = if runs {
        (ending::running(), now)
    } else {
        let header = region.header;
        let identity = Identity::noted(header);
        let by_phase = match header.phase() {
            // After its report it would have removed the region, had nothing ended it before.
            Phase::Exiting if header.reported_calls().is_some() => End::default(),
            _ => ending::by_phase(header),
        };
        let end = noted.end(by_phase, &identity);
        (
            match header.wait_status() {
                // Its parent's region is gone.
                Some(status) if is_open(&end) => ending::known(ExitStatus::from_raw(status)),
                _ => end,
            },
            end_moment(region, now),
        )
    };
    let mut report = recording::report_of(region, at, end);
    report.missed.notes.push(NO_HISTOGRAMS.to_owned());
    let has_said_so = region.header.phase() != Phase::Running;
    let is_end_known = runs || has_said_so && !region.header.has(Circumstance::Sealed);
    if !is_end_known {
        report.missed.notes.push(END_UNKNOWN.to_owned());
    }
    for process in &mut report.processes {
        process.missed.notes.push(NO_HISTOGRAMS.to_owned());
        // The last record is not the end: a process that waits records nothing.
        if !is_end_known {
            process.missed.notes.push(END_UNKNOWN.to_owned());
            process
                .in_flight
                .iter_mut()
                .for_each(|call| call.age_ns = None);
        }
    }
    let has_report = !is_used && has_report(region.header, &report);
    if !has_report && region.header.reported_calls().is_some() {
        report.missed.notes.push(COUNTED_ON.to_owned());
    }
    let is_replaced = region.header.phase() == Phase::Replacing;
    Ok(Recovered {
        report,
        pid,
        is_replaced,
        file: copied.file,
        runs,
        has_report,
    })
}

/// The last moment that the region knows of, at the clock's right rate.
///
/// That is the region's own latest moment, where it is late enough. Else it is the end of the last call
/// that was kept, at the rate of this machine's clocks since the region's start, if they have run on.
fn end_moment(region: Region<'_>, now: Moment) -> Moment {
    let started = region.header.started.get();
    let latest = region.header.latest.get();
    let since_start = |moment: Moment| moment.monotonic_ns.saturating_sub(started.monotonic_ns);
    // One that had sealed itself could not ask for the time any more.
    let is_latest = !region.header.has(Circumstance::Sealed);
    if is_latest && since_start(latest) >= MIN_BASELINE_NS {
        return latest;
    }
    let Some(rate) = Rate::between(started, now) else {
        return latest;
    };
    let (all_ticks, all_ns) = (now.ticks - started.ticks, since_start(now));
    let ran_ns = rate
        .ns(last_ticks(region).saturating_sub(started.ticks))
        .max(MIN_BASELINE_NS)
        .min(all_ns);
    let ran_ticks = u128::from(all_ticks) * u128::from(ran_ns) / u128::from(all_ns);
    Moment {
        // No more than `all_ticks`.
        ticks: started.ticks + ran_ticks as u64,
        monotonic_ns: started.monotonic_ns + ran_ns,
        unix_ns: started.unix_ns.saturating_add(ran_ns),
    }
}

/// When the calls began that had not returned.
fn begun(region: Region<'_>) -> impl Iterator<Item = u64> {
    let started = region.header.started.get().ticks;
    let taken = region.slots().iter().filter(|slot| slot.owner.is_taken());
    taken.filter_map(move |slot| slot.in_flight.get(started)?.began_ticks)
}

/// The latest tick that is recorded anywhere.
fn last_ticks(region: Region<'_>) -> u64 {
    let slow = region.counters().flat_map(|counters| {
        Family::ALL
            .into_iter()
            .flat_map(|family| counters.slow(family).iter())
    });
    slow.map(|call| call.began_ticks.saturating_add(call.took_ticks))
        .chain(region.slots().iter().map(|slot| slot.owner.began_ticks()))
        .chain(begun(region))
        .chain([region.header.latest.get().ticks])
        .max()
        .unwrap_or(0)
}

/// Writes the report where it was asked for; else to a new file, because the program may have
/// written one of the name before it was killed.
fn write(report: &Report, region: &Path, args: &RecoverArgs) -> Result<PathBuf, Failure> {
    let json = emit::to_json(report);
    if let Some(path) = &args.out {
        emit::replace(path, &json)
            .map_err(|error| Failure::of_file("write", path, error.into()))?;
        return Ok(path.clone());
    }
    let name = region.file_name().unwrap_or_default();
    let path = Path::new(name).with_extension("json");
    emit::create_new(&path, &json).map_err(|error| Failure::of_file("write", &path, error.into()))
}
