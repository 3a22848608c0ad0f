//! `weir report --by site`: where in a program its calls came from.

mod flat;
pub mod lacks;
pub mod places;
mod tree;

use std::cmp::Reverse;

use weir_record::functions::{Function as Known, Timing};
use weir_record::stacks::has_sites;
use weir_report::model::{Process, Report, Stacks};

use super::page::Page;
use crate::cli::{Group, Metric, ReportArgs};
use crate::failure::Failure;
use crate::sites::{Centre, Sites, Wanted};
use crate::{output, text, units};

/// How to show call sites.
#[derive(Debug)]
struct Options {
    metric: Option<Metric>,
    wanted: Wanted,
    /// What callers and callees are asked of.
    around: Option<String>,
    top: usize,
    /// A smaller part of the whole than this is folded.
    fold: f64,
    all_frames: bool,
    width: usize,
    coloured: bool,
}

/// What callers and callees are asked of, and where it is in the stack of each site.
struct Around<'a> {
    pattern: &'a str,
    centres: Vec<Option<Centre>>,
}

/// Sites of one group, and what is summed of them.
struct Part {
    group: Group,
    metric: Metric,
    /// The sum over all of the group, whether wanted or not.
    total: u64,
    /// The sum over those that are wanted.
    kept: u64,
    /// The calls of those that are wanted, or their blocks ([`Metric::count`]).
    count: u64,
    /// Whether the sums are estimated from samples.
    is_estimate: bool,
}

/// A place in the program, and what one function that it called comes to.
pub struct Greatest {
    /// Function, and file and line where they are known.
    pub place: String,
    /// The function that it called.
    pub called: String,
    /// How often, or of how many blocks the sum is: `50 blocks`.
    pub count: String,
    /// The part of all that functions of the group did, in words: `76.1 % of 17.6 MiB`, `45.0 % of 542 KiB still live, made at 0–1 s`.
    pub share: String,
}

/// The places with the greatest sums of a group, at most so many: as [`page`] has them.
pub fn greatest(sites: &Sites, group: Group, metric: Metric, count: usize) -> Vec<Greatest> {
    let wanted = vec![true; sites.stacks.sites.len()];
    let part = part(sites, &wanted, group, metric);
    let is_live = metric == Metric::Live;
    let lines = flat::lines(sites, &wanted, &part).into_iter().take(count);
    let greatest = lines.map(|((called, point), line)| Greatest {
        place: sites.place(point),
        called: called.to_owned(),
        count: match is_live {
            true => format!(
                "{}{}",
                part.about(),
                text::counted(line.count, "block", "blocks")
            ),
            false => format!("{}{}", part.about(), units::count(line.count)),
        },
        share: format!(
            "{} of {}{}{}",
            units::share(line.sum, part.total),
            part.about(),
            part.metric.shown(part.total),
            match line.age(sites, metric).filter(|_| is_live) {
                Some(made) => format!(" still live, made at {made}"),
                None if is_live => " still live".to_owned(),
                None => String::new(),
            }
        ),
    });
    greatest.collect()
}

/// What one function comes to that a place in the program called.
pub struct Sum {
    /// Function, and file and line where they are known.
    pub place: String,
    /// The function in its whole length, with its source file where that is known: programs have functions of one name in several.
    /// Empty where there is no stack.
    pub function: String,
    /// The function that it called.
    pub called: String,
    /// The sum.
    pub sum: u64,
}

/// The sums of all places that are wanted, the greatest first.
pub fn sums(sites: &Sites, wanted: &[bool], metric: Metric) -> Vec<Sum> {
    let parts = Group::ALL.map(|group| part(sites, wanted, group, metric));
    let lines = parts
        .iter()
        .flat_map(|part| flat::lines(sites, wanted, part));
    let mut sums: Vec<Sum> = lines
        .map(|((called, point), line)| Sum {
            place: sites.place(point),
            function: point.map_or_else(String::new, |point| {
                let point = sites.points.get(point);
                match &point.file {
                    Some(file) => format!("{} ({})", point.function, text::file_name(file)),
                    None => point.function.clone(),
                }
            }),
            called: called.to_owned(),
            sum: line.sum,
        })
        .collect();
    sums.sort_by_key(|of| Reverse(of.sum));
    sums
}

/// The page.
pub fn page(report: &Report, args: &ReportArgs) -> Result<String, Failure> {
    let options = Options {
        metric: args.sites.metric,
        wanted: Wanted::of(&args.sites),
        around: args.around.clone(),
        top: args.top.map_or(10, |top| top as usize),
        fold: args.fold.unwrap_or(1.0) / 100.0,
        all_frames: args.all_frames,
        width: output::width(args.width),
        coloured: output::is_coloured(args.color),
    };
    let processes = super::processes(report, args.process)?;
    let sites = Sites::asked(&processes, &args.sites)?;
    Ok(rendered(report, &processes, &sites, &options))
}

fn rendered(report: &Report, processes: &[&Process], sites: &Sites, options: &Options) -> String {
    let mut page = Page::new(options.width, options.coloured);
    head(&mut page, report, processes, sites);
    let mut wanted = sites.wanted(&options.wanted);
    let around = options.around.as_deref().map(|pattern| Around {
        pattern,
        centres: sites.centres(pattern),
    });
    if let Some(around) = &around {
        for (is_wanted, centre) in wanted.iter_mut().zip(&around.centres) {
            *is_wanted &= centre.is_some();
        }
    }
    let parts: Vec<Part> = Group::ALL
        .into_iter()
        .flat_map(|group| {
            let metrics = match &options.metric {
                Some(asked) => std::slice::from_ref(asked),
                // A tree of each would be too much.
                None if around.is_some() => &group.metrics()[..1],
                None => group.metrics(),
            };
            metrics.iter().map(move |&metric| (group, metric))
        })
        .map(|(group, metric)| part(sites, &wanted, group, metric))
        .filter(|part| part.kept > 0)
        .collect();
    for part in &parts {
        flat::show(&mut page, sites, &wanted, part, options);
    }
    let is_first = |part: &&Part| options.metric.is_some() || part.metric == part.group.metric();
    for part in parts.iter().filter(is_first) {
        match &around {
            None => tree::show(&mut page, sites, &wanted, part, options),
            Some(around) => tree::show_around(&mut page, sites, &wanted, part, options, around),
        }
    }
    if parts.is_empty() {
        page.heading("Call sites", "");
        page.line(match wanted.contains(&true) {
            true => "none has anything of what is summed",
            false => "none has such a stack",
        });
    }
    lacks::show(&mut page, sites);
    page.into_text()
}

fn head(page: &mut Page, report: &Report, processes: &[&Process], sites: &Sites) {
    let name = report
        .command
        .first()
        .map_or("(no command)", String::as_str);
    let name = text::printable(text::file_name(name)).into_owned();
    let images = processes.iter().map(|process| process.stands_for());
    let aside = match processes {
        [only] if only.folded.is_none() => format!("process {}", only.pid),
        _ => text::counted(images.fold(0, u64::saturating_add), "process", "processes"),
    };
    page.heading(&text::cut(&name, page.room()), &aside);
    let mut pairs = vec![("command", text::command_line(&report.command))];
    pairs.extend(notes(processes, sites));
    page.pairs(&pairs);
}

/// What is to be known of these call sites before they are read: how many they are, what is estimated, what is missing.
pub fn notes(processes: &[&Process], sites: &Sites) -> Vec<(&'static str, String)> {
    let stacks = &sites.stacks;
    let mut pairs = vec![(
        "stacks",
        format!(
            "{}, {}, {}",
            text::counted(stacks.sites.len() as u64, "call site", "call sites"),
            text::counted(stacks.frames.len() as u64, "frame", "frames"),
            text::counted(stacks.modules.len() as u64, "object", "objects")
        ),
    )];
    let without = processes.iter().filter(|process| process.stacks.is_none());
    let without = without.fold(0, |sum: u64, of| sum.saturating_add(of.stands_for()));
    if without > 0 {
        let without = text::counted(without, "process", "processes");
        pairs.push(("without", format!("{without} had no stacks")));
    }
    let threads = processes.iter().map(|of| of.missed.threads_without_slot);
    let threads = threads.fold(0, u64::saturating_add);
    if threads > 0 {
        let threads = text::counted(threads, "thread", "threads");
        pairs.push((
            "no site",
            format!("{threads} had no slot: their calls and blocks have no site"),
        ));
    }
    let unknown = processes.iter().find_map(|of| of.heap.not_known.as_deref());
    if let Some(reason) = unknown {
        let reason = text::printable(reason).into_owned();
        pairs.push(("heap not known", reason));
    }
    if let Some(mean) = stacks.sampled_bytes {
        pairs.push(("sampled", sampled(mean)));
    }
    let (without, all) = without_site(processes, stacks);
    if without > 0 {
        let (of, why) = match stacks.sampled_bytes {
            Some(_) => (
                text::counted(all, "I/O call", "I/O calls"),
                "before the first that took long, the first sample of the heap, or the thousandth; or left by a jump or a cancellation",
            ),
            None => (
                text::counted(all, "call", "calls"),
                "left by a jump, an exception or a cancellation, made while a thread ended, or not over at the end",
            ),
        };
        pairs.push((
            "no site",
            format!("{} of {of}, {why}", units::count(without)),
        ));
    }
    if let Some(incomplete) = incomplete(sites) {
        pairs.push(("incomplete", incomplete));
    }
    if stacks.untracked_blocks > 0 || stacks.untracked_frees > 0 {
        let lost = format!(
            "{} made and {} freed without a note: what is live at the sites is not exact",
            text::counted(stacks.untracked_blocks, "block", "blocks"),
            units::count(stacks.untracked_frees)
        );
        pairs.push(("not noted", lost));
    }
    if let Some(of) = sites.suppressed {
        let left_out = format!(
            "{} still live in {}, by {} of {}",
            units::bytes(of.bytes),
            text::counted(of.blocks, "block", "blocks"),
            of.used,
            text::counted(of.patterns as u64, "pattern", "patterns")
        );
        pairs.push(("suppressed", left_out));
    }
    pairs
}

/// Of the calls that should have a site, how many have none, and all.
fn without_site(processes: &[&Process], stacks: &Stacks) -> (u64, u64) {
    let is_sampled = stacks.sampled_bytes.is_some();
    let should_have = |function: &str| {
        Known::from_name(function).is_some_and(|known| match is_sampled {
            // Of those that are always timed, stacks are recorded.
            true => known.row().family.timing() == Timing::Always,
            false => has_sites(known),
        })
    };
    // Of samples, no stacks may have begun.
    let may_have_sites = |of: &&&Process| of.stacks.is_some() || is_sampled;
    let functions = processes.iter().filter(may_have_sites);
    let functions = functions.flat_map(|process| &process.functions);
    let calls = functions.filter(|(name, _)| should_have(name));
    let all = calls.fold(0, |sum: u64, (_, of)| sum.saturating_add(of.calls));
    let sites = stacks.sites.iter();
    let sites = sites.filter(|site| should_have(&site.function));
    let with = sites.fold(0, |sum: u64, site| sum.saturating_add(site.calls));
    (all.saturating_sub(with), all)
}

/// What is said of estimates. The standard error of N bytes is the square root of N times the mean distance of samples.
fn sampled(mean: u64) -> String {
    let error = |samples: u64| {
        let bytes = units::bytes(mean.saturating_mul(samples));
        let percent = 100.0 / (samples as f64).sqrt();
        (format!("{percent:.0} %"), bytes)
    };
    let (few_error, few) = error(25);
    let (many_error, many) = error(2500);
    format!(
        "allocations are estimated, from one sample in {}; standard error {few_error} for {few}, {many_error} for {many}",
        units::bytes(mean)
    )
}

/// What is said of stacks that are not whole.
fn incomplete(sites: &Sites) -> Option<String> {
    let ended = &sites.stacks.ended;
    let cut = ended
        .values()
        .fold(0, |sum: u64, &calls| sum.saturating_add(calls));
    if cut == 0 {
        return None;
    }
    let all = sites.stacks.sites.iter();
    let all = all.fold(0, |sum: u64, site| sum.saturating_add(site.calls));
    let reasons: Vec<String> = ended
        .iter()
        .filter(|&(_, &calls)| calls > 0)
        .map(|(reason, &calls)| format!("{} {}", units::count(calls), words(reason)))
        .collect();
    Some(format!(
        "the stacks of {} ({}): {}",
        text::counted(cut, "call", "calls"),
        units::share(cut, all.max(cut)),
        text::printable(&text::list(&reasons))
    ))
}

fn words(reason: &str) -> &str {
    match reason {
        "unknown_code" => "at unknown code",
        "too_deep" => "too deep",
        "no_room" => "without room",
        "not_readable" => "not readable",
        "interrupted" => "interrupted",
        other => other,
    }
}

fn part(sites: &Sites, wanted: &[bool], group: Group, metric: Metric) -> Part {
    let mut part = Part {
        group,
        metric,
        total: 0,
        kept: 0,
        count: 0,
        is_estimate: group == Group::Allocation && sites.stacks.sampled_bytes.is_some(),
    };
    for (site, &is_wanted) in sites.stacks.sites.iter().zip(wanted) {
        if Group::of(&site.function) != group {
            continue;
        }
        let sum = part.metric.of(site);
        part.total = part.total.saturating_add(sum);
        if is_wanted {
            part.kept = part.kept.saturating_add(sum);
            part.count = part.count.saturating_add(metric.count(site));
        }
    }
    part
}

impl Part {
    /// What the table of its sites is called.
    fn title(&self) -> &'static str {
        match self.metric {
            Metric::Peak => "Allocations at the peak",
            Metric::Live => "Allocations still live",
            Metric::Temporary => "Temporary allocations",
            _ => self.group.name(),
        }
    }

    /// What stands before a number.
    fn about(&self) -> &'static str {
        if self.is_estimate { "≈" } else { "" }
    }

    /// `by time; 12.3 ms in 456 calls`.
    fn aside(&self) -> String {
        let about = self.about();
        let kept = format!("{about}{}", self.metric.shown(self.kept));
        let whole = match self.kept == self.total {
            true => kept,
            false => format!("{kept} of {}", self.metric.shown(self.total)),
        };
        match self.metric {
            Metric::Calls => format!("by calls; {whole} calls"),
            Metric::Peak => format!("by {}; {whole}", self.metric.words()),
            Metric::Temporary => format!(
                "by {}; {whole} of {about}{}",
                self.metric.words(),
                text::counted(self.count, "call", "calls")
            ),
            Metric::Live => format!(
                "by {}; {whole} in {about}{}",
                self.metric.words(),
                text::counted(self.count, "block", "blocks")
            ),
            metric => format!(
                "by {}; {whole} in {about}{}",
                metric.words(),
                text::counted(self.count, "call", "calls")
            ),
        }
    }
}

#[cfg(test)]
mod tests;
