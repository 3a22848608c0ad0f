//! What may be typed after `weir`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use weir_record::settings::{self, Timing};

use crate::exit_code;
use crate::failure::Failure;

mod help;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    bin_name = "weir",
    version = env!("WEIR_VERSION"),
    about = help::ABOUT,
    after_help = help::EXAMPLES,
    after_long_help = help::EXAMPLES_AND_EXIT_CODES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `weir` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program, and report every allocation and I/O call that it makes
    #[command(after_help = help::RUN_EXAMPLES, after_long_help = help::RUN_EXAMPLES)]
    Run(RunArgs),
    /// Show a report as tables
    #[command(after_help = help::REPORT_EXAMPLES, after_long_help = help::REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Make reports from the region files that killed programs left
    #[command(after_help = help::RECOVER_EXAMPLES, after_long_help = help::RECOVER_EXAMPLES)]
    Recover(RecoverArgs),
    /// Say whether a program can be traced, and what would be missed
    #[command(after_help = help::DOCTOR_EXAMPLES, after_long_help = help::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print where the library is that weir run preloads, or the header
    #[command(after_help = help::LIBRARY_EXAMPLES, after_long_help = help::LIBRARY_EXAMPLES)]
    Library(LibraryArgs),
    /// Print the JSON Schema of the report
    Schema,
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS_EXAMPLES, after_long_help = help::COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the format of man(7)
    #[command(after_help = help::MAN_EXAMPLES, after_long_help = help::MAN_EXAMPLES)]
    Man {
        /// The command whose page it is [default: that of weir itself]
        command: Option<String>,
    },
}

/// `weir run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Write the JSON report here [default: weir.PROGRAM.PID.json in the working directory]; in a directory, as --out-dir
    #[arg(short, long, value_name = "FILE|DIR")]
    pub out: Option<PathBuf>,

    /// Write a report of every process image, too, in this directory, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,

    /// Also trace programs that are started with an environment which lacks LD_PRELOAD
    ///
    /// Weir is added to such an environment, as by env -i, sudo or a service manager; else it stays as it is.
    #[arg(long)]
    pub follow_cleared: bool,

    /// Tell how long calls that may block waited, and how long the transfer took
    ///
    /// Each such call is tried without blocking, and waits by poll where that fails. In programs whose coroutine
    /// runtime registers itself with Weir, that is done in coroutines in any case.
    #[arg(long)]
    pub coop: bool,

    /// Say nothing on standard error but what is wrong
    #[arg(short, long)]
    pub quiet: bool,

    /// Which calls to time: all, off, or N for every I/O call and one allocation call in N
    ///
    /// Every call is counted in any case. Reading the clock twice takes longer than most
    /// allocations do, so by default only one allocation call in 128, at random, is timed.
    #[arg(short, long, value_name = "all|N|off", allow_negative_numbers = true, value_parser = timing)]
    pub time: Option<Timing>,

    /// Also write the report every so many seconds while the program runs; decimals are allowed
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = interval)]
    pub interval: Option<Duration>,

    /// What the summary's functions and files are sorted by
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub sort: Sort,

    /// The program, and its arguments: everything from the program's name on is its own
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_names = ["PROGRAM", "ARGUMENTS"]
    )]
    pub program: Vec<OsString>,
}

/// `weir report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The report; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// What functions, files, threads and processes are sorted by
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub sort: Sort,

    /// Show only this process, in detail
    #[arg(long, value_name = "PID")]
    pub process: Option<u32>,

    /// When to colour: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Columns to fill [default: COLUMNS, else the terminal's width, else 80]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// `weir recover`
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The region file [default: all that lie in WEIR_REGION_DIR, else in /dev/shm and where temporary files go]
    ///
    /// Without it, each is listed, and a report is made of those whose process has ended.
    #[arg(value_name = "REGION")]
    pub region: Option<PathBuf>,

    /// Write the JSON report here [default: the region's name, ending in .json, in the working
    /// directory]
    #[arg(short, long, value_name = "FILE", requires = "region")]
    pub out: Option<PathBuf>,

    /// Remove the region of a process that has ended, once its report is written
    #[arg(long)]
    pub clean: bool,
}

/// `weir doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The program, looked for in PATH unless it has a slash
    #[arg(value_name = "PROGRAM")]
    pub program: OsString,
}

/// `weir library`
#[derive(Debug, Args)]
pub struct LibraryArgs {
    /// Print where weir.h is, by which a coroutine runtime registers itself
    #[arg(long)]
    pub header: bool,
}

/// What tables are sorted by, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Total time, estimated from the calls that were timed
    #[default]
    Time,
    /// Number of calls
    Calls,
    /// Bytes asked for by allocation functions, and moved by I/O functions
    Bytes,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always, also in a pipe
    Always,
    /// Never
    Never,
}

fn timing(value: &str) -> Result<Timing, String> {
    Timing::parse(value.as_bytes())
        .ok_or_else(|| format!("must be {}", settings::TIME.values.replace('`', "")))
}

fn interval(value: &str) -> Result<Duration, String> {
    settings::parse_seconds(value.as_bytes())
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("must be {}", settings::INTERVAL.values))
}

/// Why there is no command to carry out.
#[derive(Debug)]
pub enum NoCommand {
    /// Help or the version was asked for: this is it.
    Asked(String),
    /// The arguments make no sense.
    Failed(Failure),
}

/// Reads a command line, of which the first word is the command's own name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, NoCommand> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(args) = run(&arguments) {
        let command = Command::Run(args);
        return Ok(Cli { command });
    }
    Cli::try_parse_from(&arguments).map_err(|error| {
        let asked = arguments.get(1).and_then(|word| word.to_str());
        explained(&error, asked)
    })
}

/// The arguments of `weir run`, where there is nothing wrong with them and no help is asked for.
///
/// The definition of all commands takes a sixth of a millisecond to make, a tenth of what the program's start may take
/// longer under `weir run`. So only that of `run` is made here.
fn run(arguments: &[OsString]) -> Option<RunArgs> {
    let (_, from_run) = arguments.split_first()?;
    let definition = match from_run.first() {
        Some(name) if name == "run" => RunArgs::augment_args(clap::Command::new("run")),
        _ => return None,
    };
    let matches = definition.try_get_matches_from(from_run).ok()?;
    RunArgs::from_arg_matches(&matches).ok()
}

/// The command as clap knows it, for what is made from the definitions.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// What is wrong with a command line, of which `asked` is the first word.
fn explained(error: &clap::Error, asked: Option<&str>) -> NoCommand {
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => NoCommand::Asked(text.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let message = "no command given; the commands are run, report, recover, doctor, library, schema, completions and man (see 'weir --help')";
            NoCommand::Failed(Failure::new(exit_code::USAGE, message))
        }
        _ => NoCommand::Failed(Failure::new(
            exit_code::USAGE,
            one_line(&text.to_string(), asked),
        )),
    }
}

/// Clap's paragraphs in one line: what is wrong, the tip, and where the help is.
fn one_line(text: &str, asked: Option<&str>) -> String {
    let mut parts = Vec::new();
    let mut help = match asked.filter(|&name| definition().find_subcommand(name).is_some()) {
        Some(command) => format!("weir {command} --help"),
        None => "weir --help".to_owned(),
    };
    for paragraph in text.split("\n\n") {
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(usage) = words.strip_prefix("Usage: ") {
            let command: Vec<&str> = usage
                .split(' ')
                .take_while(|word| is_command(word))
                .collect();
            help = format!("{} --help", command.join(" "));
        } else if words.starts_with("tip: to pass") {
            // What looks like an option is mostly a mistake, and no program's name.
        } else if !words.is_empty() && !words.starts_with("For more information") {
            let words = words.strip_prefix("error: ").unwrap_or(&words);
            parts.push(words.strip_prefix("tip: ").unwrap_or(words).to_owned());
        }
    }
    format!("{} (see '{help}')", parts.join("; "))
}

fn is_command(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
