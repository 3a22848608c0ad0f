//! `weir check`: whether a program keeps its budget.
//!
//! ```text
//! budget      the file with the limits
//! quantity    numbers with units
//! figure      the numbers of a report that a limit is about
//! verdict     whether a limit is kept
//! page, github, junit, openmetrics      the result, for people and for CI
//! update      limits that are lowered to what was measured
//! ```

mod budget;
mod figure;
mod github;
mod junit;
mod openmetrics;
mod page;
mod quantity;
mod update;
mod verdict;

use std::path::{Path, PathBuf};

use weir_report::model::Report;

use crate::cli::{CheckArgs, RunArgs, Sort, Verdicts};
use crate::exit_code::{self, ProgramEnd};
use crate::failure::{Failure, complain};
use crate::report::sites::places::{self, Places};
use crate::units::Unit;
use crate::{output, overwrite, report, run};
use budget::{Budget, Limit, Per};
use figure::{Figure, Value};
use verdict::Verdict;

/// How many sites are named that made a number grow, or processes that made it.
const GROWN: usize = 3;
/// How many processes, files or sites are named that break one limit.
const MOST_NAMED: usize = 10;

/// A limit and what the report says of it.
#[derive(Debug)]
struct Judged<'b> {
    limit: &'b Limit,
    /// What breaks the limit, or else what is undecided, or else what came nearest to it; the greatest first.
    rows: Vec<Row>,
    /// What breaks the limit: a number, and where it is. Nothing where the limit is not broken, or that is not known.
    culprits: Vec<(String, String)>,
}

/// A number and its limit, as they are shown.
#[derive(Debug)]
struct Row {
    of: String,
    value: String,
    most: String,
    verdict: Verdict,
    /// The number, where it is known and no estimate.
    exact: Option<i128>,
    /// The number, as well as it is known.
    number: Option<i128>,
    /// Its limit, where there is one.
    most_number: Option<i128>,
    unit: Unit,
}

impl Judged<'_> {
    fn verdict(&self) -> &Verdict {
        self.rows.first().map_or(&Verdict::Kept, |row| &row.verdict)
    }
}

/// Checks a report, or that of a program that it runs. Returns the exit code.
pub fn execute(args: &CheckArgs) -> Result<u8, Failure> {
    if args.file.is_none() && args.program.is_empty() {
        let message =
            "nothing to check: give a report, or -- and a program (see 'weir check --help')";
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let given = [
        ("--out", args.out.is_some()),
        ("--stacks", args.stacks.is_some()),
    ];
    if args.file.is_some()
        && let Some((option, _)) = given.into_iter().find(|&(_, is_given)| is_given)
    {
        return Err(Failure::new(
            exit_code::USAGE,
            format!("{option} is for a program that weir check runs, and a report was given"),
        ));
    }
    for out in [&args.junit, &args.openmetrics] {
        let read = args.file.iter().chain(&args.baseline);
        overwrite::refuse(out.as_deref(), read.chain([&args.budget]))?;
    }
    let budget = Budget::read(&args.budget)?;
    let baseline = args.baseline.as_deref().map(report::load).transpose()?;
    let report = match &args.file {
        Some(file) => report::load(file)?,
        None => measured(args)?,
    };
    let judged = judged(&args.budget, &budget, &report, baseline.as_ref())?;
    if let Some(path) = &args.junit {
        junit::write(path, &args.budget, &judged)?;
    }
    if let Some(path) = &args.openmetrics {
        openmetrics::write(path, &judged)?;
    }
    match args.format {
        Verdicts::Text => {
            let width = output::width(args.width);
            let coloured = output::is_coloured(args.color);
            output::print(&page::text(&args.budget, &judged, width, coloured))?;
        }
        Verdicts::Github => github::print(&args.budget, &judged)?,
    }
    if args.update {
        for lowered in update::lower(&args.budget, &budget, &judged)? {
            complain(&format!(
                "{}: {} lowered from {} to {}",
                args.budget.display(),
                lowered.metric,
                lowered.from,
                lowered.to
            ));
        }
    }
    let severities = judged.iter().map(|one| one.verdict().severity());
    Ok(match severities.max() {
        Some(2) => exit_code::BROKEN,
        Some(1) => exit_code::WEIR_FAILED,
        _ => exit_code::SUCCESS,
    })
}

/// Runs the program; its report.
fn measured(args: &CheckArgs) -> Result<Report, Failure> {
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::of_weir("cannot make a temporary directory").because(error))?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => folder.path().join("report.json"),
    };
    let end = run::record(&run_args(args, &out))?;
    let program = args.program.first().map(|name| name.display());
    let program = program.map(|name| name.to_string()).unwrap_or_default();
    match end {
        ProgramEnd::Exited(0) => report::load(&out),
        ProgramEnd::Exited(status) => Err(Failure::of_weir(format!(
            "{program} exited with status {status}, so its budget was not checked"
        ))),
        ProgramEnd::Signaled(signal) => Err(Failure::of_weir(format!(
            "{program} was ended by signal {signal}, so its budget was not checked"
        ))),
    }
}

fn run_args(args: &CheckArgs, out: &Path) -> RunArgs {
    RunArgs {
        progress: false,
        live: false,
        out: Some(PathBuf::from(out)),
        out_dir: None,
        follow_cleared: false,
        coop: false,
        stacks: args.stacks,
        lifetimes: false,
        frame_pointers: false,
        // Limits may be on each process.
        all_processes: true,
        quiet: true,
        time: None,
        interval: None,
        sort: Sort::default(),
        top: None,
        program: args.program.clone(),
    }
}

/// Judges all limits.
///
/// # Errors
/// A limit is about nothing that there is, or its unit is that of something else.
fn judged<'b>(
    path: &Path,
    budget: &'b Budget,
    report: &Report,
    baseline: Option<&Report>,
) -> Result<Vec<Judged<'b>>, Failure> {
    let places = Places::of(&report.processes);
    let before = baseline.map(|report| (report, Places::of(&report.processes)));
    let judged = budget.limits.iter().map(|limit| {
        let wrong = |message: String| budget::wrong(path, limit.line, &message);
        let now = figure::figures(limit, report, &places).map_err(wrong)?;
        let then = before
            .as_ref()
            .map(|(report, places)| figure::figures(limit, report, places))
            .transpose()
            .map_err(wrong)?;
        let mut rows = Vec::new();
        for figure in &now {
            rows.push(row(limit, figure, then.as_deref(), budget).map_err(wrong)?);
        }
        let rows = worst(rows);
        let is_broken = rows
            .first()
            .is_some_and(|row| row.verdict == Verdict::Broken);
        let culprits = match is_broken {
            true if limit.per == Per::Report => {
                let mut makers = figure::processes(&limit.metric, report, GROWN);
                let before = before.as_ref().map(|(_, places)| places);
                makers.extend(grown(limit, &places, before));
                makers
            }
            true => rows
                .iter()
                .take(MOST_NAMED)
                .map(|row| (row.value.clone(), row.of.clone()))
                .collect(),
            false => Vec::new(),
        };
        Ok(Judged {
            limit,
            rows,
            culprits,
        })
    });
    judged.collect()
}

/// The places of the program that made a number grow, and by how much.
fn grown(limit: &Limit, now: &Places<'_>, before: Option<&Places<'_>>) -> Vec<(String, String)> {
    let Some((metric, called)) = figure::summed(&limit.metric) else {
        return Vec::new();
    };
    let before = before.and_then(|places| places.sums(metric, called, &[]));
    let now = now.sums(metric, called, &[]).unwrap_or_default();
    let grown = places::grown(now, before, GROWN).into_iter();
    grown.map(|(name, by)| (metric.shown(by), name)).collect()
}

/// A number against its limit, which may depend on what it was before.
fn row(
    limit: &Limit,
    figure: &Figure<'_>,
    before: Option<&[Figure<'_>]>,
    budget: &Budget,
) -> Result<(i128, Row), String> {
    let fixed = limit.max.map(|max| max.of(figure.unit)).transpose()?;
    let relative = limit.increase.map(|increase| {
        let before =
            before.ok_or("there is no baseline to compare it with; give one with --baseline")?;
        let same = before.iter().find(|of| of.key == figure.key);
        match same.map(|of| of.value.number()) {
            // What is new was nothing before.
            None => Ok(0),
            Some(Some(number)) => Ok(verdict::most_after(number, increase)),
            Some(None) => Err("the baseline does not say what it was"),
        }
    });
    let (relative, lack) = match relative {
        Some(Ok(most)) => (Some(most), None),
        Some(Err(lack)) => (None, Some(lack.to_owned())),
        None => (None, None),
    };
    let most = fixed.into_iter().chain(relative).min();
    let judge = |most| verdict::judge(figure, most, limit.min_samples, &budget.accepted);
    let verdict = most.map_or(Verdict::Kept, judge);
    // What the baseline lacks would have allowed more; a fixed limit that is broken is broken whatever it says.
    let depends_on_baseline = match &verdict {
        Verdict::Kept => true,
        Verdict::Broken => fixed.map(judge) != Some(Verdict::Broken),
        Verdict::CannotTell(_) => false,
    };
    let lack = match &verdict {
        Verdict::Broken => lack.or_else(|| baseline_lack(figure, before, budget)),
        _ => lack,
    };
    let verdict = match lack {
        Some(lack) if depends_on_baseline => Verdict::CannotTell(lack),
        _ => verdict,
    };
    let (value, shown) = verdict::shown(&figure.value, most, figure.unit);
    let row = Row {
        of: figure.of.clone(),
        value,
        most: shown,
        verdict,
        exact: match figure.value {
            Value::Exact(number) => Some(number),
            _ => None,
        },
        number: figure.value.number(),
        most_number: most,
        unit: figure.unit,
    };
    Ok((figure.value.number().unwrap_or(0), row))
}

/// Why a number may be too small in the baseline.
fn baseline_lack(
    figure: &Figure<'_>,
    before: Option<&[Figure<'_>]>,
    budget: &Budget,
) -> Option<String> {
    let before = before?;
    // What is not in it may be in what it lacks: the losses of one number are those of its neighbours.
    let same = before.iter().find(|of| of.key == figure.key);
    let losses = match same.or(before.first()) {
        Some(of) => &of.losses,
        None => &figure.losses,
    };
    let mut losses = losses
        .iter()
        .filter(|(loss, _)| !budget.accepted.contains(loss));
    let (_, sentence) = losses.next()?;
    Some(format!("in the baseline, {sentence}"))
}

/// All rows that are as bad as the worst, the greatest number first; of those that are kept, the greatest.
fn worst(rows: Vec<(i128, Row)>) -> Vec<Row> {
    let severity = rows.iter().map(|(_, row)| row.verdict.severity()).max();
    let mut rows: Vec<(i128, Row)> = rows
        .into_iter()
        .filter(|(_, row)| Some(row.verdict.severity()) == severity)
        .collect();
    rows.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    if severity == Some(0) {
        rows.truncate(1);
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// `4 limits, 1 broken, 1 undecided`.
fn outcome(judged: &[Judged<'_>]) -> String {
    let count = |severity| {
        let severities = judged.iter().map(|one| one.verdict().severity());
        severities.filter(|&one| one == severity).count()
    };
    let all = crate::text::counted(judged.len() as u64, "limit", "limits");
    let parts = [(count(2), "broken"), (count(1), "undecided")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match parts.is_empty() {
        true => format!("{all}, all kept"),
        false => format!("{all}, {}", parts.join(", ")),
    }
}

#[cfg(test)]
mod noise;
#[cfg(test)]
mod tests;
