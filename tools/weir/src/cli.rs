//! The command line of `weir`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use weir_record::settings::{Stacks, Timing};

mod help;
mod reading;
mod values;

pub use reading::{NoCommand, definition, parse};
pub use values::{
    By, ColorWhen, Differences, Format, Group, Metric, Rows, STANDARD_OUTPUT, Sort, Verdicts,
};
use values::{file_to_write, interval, percent, stacks, timing};

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
    /// Run a program and report its allocation and I/O calls
    #[command(after_help = help::RUN_EXAMPLES, after_long_help = help::RUN_EXAMPLES)]
    Run(RunArgs),
    /// Show a report as tables
    #[command(after_help = help::REPORT_EXAMPLES, after_long_help = help::REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Show what differs between two reports
    #[command(after_help = help::DIFF_EXAMPLES, after_long_help = help::DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Add up the reports of several runs
    #[command(after_help = help::MERGE_EXAMPLES, after_long_help = help::MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Check a report, or a program, against a budget
    #[command(after_help = help::CHECK_EXAMPLES, after_long_help = help::CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Write a report in a format of other tools
    #[command(after_help = help::EXPORT_EXAMPLES, after_long_help = help::EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Draw a report's call sites as a flame graph
    #[command(after_help = help::FLAME_EXAMPLES, after_long_help = help::FLAME_EXAMPLES)]
    Flame(FlameArgs),
    /// Show what programs under Weir do while they run
    #[command(after_help = help::TOP_EXAMPLES, after_long_help = help::TOP_EXAMPLES)]
    Top(TopArgs),
    /// Make a page for browsers from a report
    #[command(after_help = help::HTML_EXAMPLES, after_long_help = help::HTML_EXAMPLES)]
    Html(HtmlArgs),
    /// Write the names of functions, files and lines into a report
    #[command(after_help = help::SYMBOLIZE_EXAMPLES, after_long_help = help::SYMBOLIZE_EXAMPLES)]
    Symbolize(SymbolizeArgs),
    /// Make reports from the region files of killed programs
    #[command(after_help = help::RECOVER_EXAMPLES, after_long_help = help::RECOVER_EXAMPLES)]
    Recover(RecoverArgs),
    /// Check whether a program can be traced, and what Weir would not observe
    #[command(after_help = help::DOCTOR_EXAMPLES, after_long_help = help::DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print where the library is that weir run preloads, or the header
    #[command(after_help = help::LIBRARY_EXAMPLES, after_long_help = help::LIBRARY_EXAMPLES)]
    Library(LibraryArgs),
    /// Print the JSON Schema of the report, or of its totals
    Schema {
        /// The schema of what weir report --totals prints
        #[arg(long)]
        totals: bool,
    },
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS_EXAMPLES, after_long_help = help::COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the format of man(7)
    #[command(after_help = help::MAN_EXAMPLES, after_long_help = help::MAN_EXAMPLES)]
    Man {
        /// The command to describe [default: weir itself]
        command: Option<String>,
    },
}

/// `weir run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Write the JSON report to this file [default: weir.PROGRAM.PID.json in the working directory]; a directory means --out-dir; - is standard output
    #[arg(short, long, value_name = "FILE|DIR", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Also write a report for each process image, to this directory, which is created if missing
    #[arg(long, value_name = "DIR")]
    pub out_dir: Option<PathBuf>,

    /// Also trace programs that are started with an environment without LD_PRELOAD
    ///
    /// Such environments come from env -i, sudo or a service manager. Weir adds itself to them. Without this option it leaves
    /// them as they are.
    #[arg(long)]
    pub follow_cleared: bool,

    /// Measure wait and transfer of calls that may block separately
    ///
    /// Weir checks whether a call would block: before a receive from a socket by a try with MSG_DONTWAIT, before other calls
    /// by a poll that does not wait. Where neither shows it, Weir checks after the call whether the thread slept in it. A call
    /// that did not block is transfer. A call that blocked is wait, with all of its time. In a program with one thread, Weir
    /// waits by poll before it receives from a socket, and so measures both parts of one call. In coroutines of a runtime
    /// that is registered with Weir, both parts are measured without this option.
    #[arg(long)]
    pub coop: bool,

    /// Which call stacks to record: of every allocation and I/O call (all), of samples, or none (off) [default: sampled]
    ///
    /// The JSON report then has the call sites of each process: which function was called from where, how often, with how many
    /// bytes, and how long the calls took. With all, every number is exact; calls take longer, and need more of the stack. With
    /// sampled, allocations are estimated from one sample in BYTES (512K), which costs next to nothing; calls that end in a system
    /// call are all recorded, from the first that takes 0.1 ms, the thousandth, or the first sample on.
    #[arg(long, value_name = "off|sampled[:BYTES]|all", value_parser = stacks)]
    pub stacks: Option<Stacks>,

    /// With --stacks all, also record how long blocks of the heap live
    ///
    /// The report then has of each call site how long its blocks lived that were freed, and since when those live that are still there:
    /// whether a leak is from the start or grows. Each allocation then reads the clock. Samples, the default, have that always.
    #[arg(long)]
    pub lifetimes: bool,

    /// Have call stacks follow frame pointers through code without unwind information, such as that of a JIT compiler
    ///
    /// Without this option, a call stack ends at code that a program makes while it runs. With it, the program must keep frame
    /// pointers in such code: V8 does, and the JVM with -XX:+PreserveFramePointer. The functions have names if the program
    /// writes them to /tmp/perf-PID.map or jit-PID.dump, as for perf: node with --perf-basic-prof, the JVM with -XX:+DumpPerfMapAtExit.
    #[arg(long)]
    pub frame_pointers: bool,

    /// Give each of very many processes an entry of its own in the report
    ///
    /// Of more than 100 process images the report otherwise has 100 one by
    /// one: those that failed, did most, or are unusual. The others share an
    /// entry for each executable, with their exact sums.
    #[arg(long)]
    pub all_processes: bool,

    /// Print errors and warnings only
    #[arg(short, long)]
    pub quiet: bool,

    /// Show one line about the program while it runs, if standard error is a terminal
    ///
    /// It has the processes that run, their live heap, and rates. It is for
    /// programs that write elsewhere than to that terminal.
    #[arg(long)]
    pub progress: bool,

    /// Show what the program does while it runs, as weir top does
    ///
    /// The page is on the terminal from which weir is started. Standard input,
    /// output and error are the program's, and must not be a terminal.
    #[arg(long)]
    pub live: bool,

    /// Which calls to time: all, off, or N for every I/O call and one allocation call in N
    ///
    /// Weir counts every call, whatever is set here. To read the clock twice takes longer than most allocations do, so by default
    /// Weir times one allocation call in 128, chosen at random.
    #[arg(short, long, value_name = "all|N|off", allow_negative_numbers = true, value_parser = timing)]
    pub time: Option<Timing>,

    /// Also write the report at this interval while the program runs; decimals are allowed
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = interval)]
    pub interval: Option<Duration>,

    /// Sort the functions and files of the summary by this
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub sort: Sort,

    /// Number of lines of each table of the summary [default: 1 to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,

    /// The program and its arguments; everything after the program's name belongs to the program
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
    /// The report; of a directory, its reports as one run; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Sort functions, files, threads and processes by this
    #[arg(long, value_enum, default_value_t, value_name = "BY")]
    pub sort: Sort,

    /// Show only this process, in detail
    #[arg(long, value_name = "PID")]
    pub process: Option<u32>,

    /// Show only this function, in detail; * stands for any text, ? for one character
    #[arg(long, value_name = "NAME", conflicts_with_all = ["by", "sort", "around", "top", "all_frames", "fold"])]
    pub function: Option<String>,

    /// Show only the files and sockets with this name, in detail; * stands for any text, ? for one character
    ///
    /// A file's name will do without its path.
    #[arg(long = "file", value_name = "NAME", conflicts_with_all = ["by", "sort", "function", "around", "top", "all_frames", "fold"])]
    pub only_file: Option<String>,

    /// Print only the totals, as JSON in one line
    ///
    /// They have the names that they have in the report, and no lists of
    /// processes, threads, files, slow calls or call sites.
    #[arg(long, conflicts_with_all = ["by", "sort", "process", "function", "only_file", "color", "width", "around", "top", "all_frames", "fold"])]
    pub totals: bool,

    /// When to use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Width of the page in columns [default: COLUMNS, else the terminal's width, else 80]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,

    /// Show where in the program its calls came from, with sums for each place
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "sort", help_heading = CALL_SITES)]
    pub by: Option<By>,

    #[command(flatten)]
    pub sites: SiteArgs,

    /// Only stacks with this function, source file or object: what calls it, and what it calls
    ///
    /// PATTERN is as for --focus. If a function has exactly this name, only that one counts.
    #[arg(long, value_name = "PATTERN", requires = "by", help_heading = CALL_SITES)]
    pub around: Option<String>,

    /// Number of lines of each list [default: 10]
    #[arg(long, value_name = "N", requires = "by", help_heading = CALL_SITES, value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,

    /// Also show what happens inside the libraries of languages
    #[arg(long, requires = "by", help_heading = CALL_SITES)]
    pub all_frames: bool,

    /// Fold branches of less than so many percent of what is shown; decimals are allowed [default: 1]
    #[arg(long, value_name = "PERCENT", requires = "by", help_heading = CALL_SITES, value_parser = percent)]
    pub fold: Option<f64>,
}

/// The heading of options that are about call sites.
const CALL_SITES: &str = "Call sites";

/// Which call sites, and what is summed.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = CALL_SITES)]
pub struct SiteArgs {
    /// Only calls of these functions
    #[arg(long, value_enum, value_name = "FUNCTIONS")]
    pub of: Option<Group>,

    /// What to sum [default: bytes of allocations, moved bytes of stdio, time of all other calls]
    #[arg(long, value_enum, value_name = "METRIC")]
    pub metric: Option<Metric>,

    /// Only stacks with this function, source file or object; can be repeated
    ///
    /// PATTERN is a part of the name. With * or ? it is the whole name, where * stands for any text and ? for one character. A
    /// file's name will do without its path. OBJECT!FUNCTION is a function of an object, each as a whole name. Of several
    /// patterns one must be in the stack.
    #[arg(long, value_name = "PATTERN")]
    pub focus: Vec<String>,

    /// No stacks with this function, source file or object; can be repeated
    #[arg(long, value_name = "PATTERN")]
    pub ignore: Vec<String>,

    /// End stacks of I/O calls with the file or socket that the calls were about
    ///
    /// It stands as a caller of the function: --focus and --around find it by its name. So --around NAME shows who reads and writes
    /// a file.
    #[arg(long)]
    pub files: bool,

    /// Show an interpreter's own functions between those of its language
    ///
    /// Without it, stacks with functions of Python do not have those of CPython. Those of extension modules they have.
    #[arg(long)]
    pub native: bool,

    /// Leave out leaks that this file names, in LeakSanitizer's format
    ///
    /// A line is leak:PATTERN. PATTERN is a part of the name of a function, source file or object in the stack; * stands for any
    /// text, ^ and $ for the beginning and the end. It concerns what is live at the end, and no other sum.
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,

    /// Look for separate debug files in this directory; can be repeated [default: /usr/lib/debug]
    ///
    /// Weir looks for DIR/.build-id/ab/cdef.debug, where abcdef is the build id, and for the name that is in an object's section
    /// .gnu_debuglink. Weir also finds what debuginfod-find fetched.
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,
}

impl SiteArgs {
    /// The name of an option that was given, if any was.
    pub fn given(&self) -> Option<&'static str> {
        let options = [
            (self.of.is_some(), "--of"),
            (self.metric.is_some(), "--metric"),
            (!self.focus.is_empty(), "--focus"),
            (!self.ignore.is_empty(), "--ignore"),
            (self.files, "--files"),
            (self.native, "--native"),
            (self.suppressions.is_some(), "--suppressions"),
            (!self.debug_dir.is_empty(), "--debug-dir"),
        ];
        let mut given = options.iter().filter(|(is_given, _)| *is_given);
        given.next().map(|&(_, name)| name)
    }
}

/// `weir diff`
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Two reports, or with --after all reports of the first side; - is standard input
    #[arg(value_name = "REPORT", required = true)]
    pub files: Vec<PathBuf>,

    /// The reports of the second side, where there are several runs of a side
    #[arg(long, value_name = "REPORT", num_args = 1..)]
    pub after: Vec<PathBuf>,

    /// How to print what differs
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Differences,

    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "OUT", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Number of functions, files, … of each table [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,

    /// When to use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Width of the page in columns [default: COLUMNS, else the terminal's width, else 80]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// `weir merge`
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The reports; of a directory, all files that end with .json
    #[arg(value_name = "REPORT|DIR", required = true)]
    pub reports: Vec<PathBuf>,

    /// Write the sum to this file; - is standard output
    #[arg(short, long, value_name = "FILE", value_parser = file_to_write())]
    pub out: PathBuf,

    /// Leave out files that are no reports, and say which
    #[arg(long)]
    pub skip_unreadable: bool,

    /// The reports are of the processes of one run: keep each of them
    ///
    /// A program with LD_PRELOAD alone leaves a report for each of its
    /// processes. The result is as that of weir run. Files that cannot be
    /// read are left out, and the result says so.
    #[arg(long, conflicts_with = "skip_unreadable")]
    pub one_run: bool,
}

/// `weir check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The report; of a directory, its reports as one run; - is standard input
    #[arg(value_name = "FILE", conflicts_with = "program")]
    pub file: Option<PathBuf>,

    /// The budget
    #[arg(short, long, value_name = "BUDGET", default_value = "weir.toml")]
    pub budget: PathBuf,

    /// The report that limits with an increase are compared with
    #[arg(long, value_name = "REPORT")]
    pub baseline: Option<PathBuf>,

    /// How to print the result
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Verdicts,

    /// Also write the result to this file as JUnit XML
    #[arg(long, value_name = "XML", value_parser = file_to_write())]
    pub junit: Option<PathBuf>,

    /// Also write the numbers and their limits to this file in the format of OpenMetrics
    #[arg(long, value_name = "TEXT", value_parser = file_to_write())]
    pub openmetrics: Option<PathBuf>,

    /// Lower the limits of BUDGET that are kept to what was measured
    ///
    /// Only numbers and bytes that are exact: times differ from run to run. Comments and units stay. No limit is raised.
    #[arg(long)]
    pub update: bool,

    /// When to use colours
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: ColorWhen,

    /// Width of the page in columns [default: COLUMNS, else the terminal's width, else 80]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,

    /// Keep PROGRAM's report in this file
    #[arg(short, long, value_name = "OUT", requires = "program", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Which call stacks of PROGRAM to record, as for weir run
    #[arg(long, value_name = "off|sampled[:BYTES]|all", requires = "program", value_parser = stacks)]
    pub stacks: Option<Stacks>,

    /// A program to run and check, and its arguments
    #[arg(last = true, value_names = ["PROGRAM", "ARGUMENTS"], num_args = 1..)]
    pub program: Vec<OsString>,
}

/// `weir export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Format,

    /// Which table, for csv and ndjson [default: functions]
    #[arg(long, value_enum, value_name = "TABLE")]
    pub table: Option<Rows>,

    /// The report; of a directory, its reports as one run; - is standard input. For parquet one or more, where each file of a directory is a run
    #[arg(value_name = "FILE", required = true)]
    pub reports: Vec<PathBuf>,

    /// For parquet: leave out files that are no reports, and say which
    #[arg(long)]
    pub skip_unreadable: bool,

    /// Write to this file [default: standard output]; for parquet to this directory
    #[arg(short, long, value_name = "OUT", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub stacks: StackArgs,
}

/// `weir flame`
#[derive(Debug, Args)]
pub struct FlameArgs {
    /// Show what changed since this report
    ///
    /// A function is as wide as its sums in both reports together. Red ones have more in FILE, blue ones had more in BEFORE.
    #[arg(long, value_name = "BEFORE")]
    pub diff: Option<PathBuf>,

    /// The report; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "OUT", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub stacks: StackArgs,
}

/// What [`FlameArgs`] and [`ExportArgs`] share: which stacks.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Only this process
    #[arg(long, value_name = "PID")]
    pub process: Option<u32>,

    #[command(flatten)]
    pub sites: SiteArgs,
}

/// `weir top`
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Only this process or program, by its name or how that begins, and the processes that it starts [default: all that run under Weir]
    #[arg(value_name = "PID|NAME")]
    pub program: Option<String>,

    /// Seconds between two looks
    #[arg(short = 'n', long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,

    /// Print all tables once, with what happened in the interval, and end
    #[arg(long)]
    pub once: bool,

    /// Show numbers since the start of the processes; the key t changes to numbers for each second
    #[arg(long)]
    pub totals: bool,

    /// Width of the printed page in columns [default: COLUMNS, else the terminal's width, else 80]
    #[arg(long, value_name = "COLUMNS", requires = "once", value_parser = clap::value_parser!(u16).range(40..=1000))]
    pub width: Option<u16>,
}

/// `weir html`
#[derive(Debug, Args)]
pub struct HtmlArgs {
    /// The report; of a directory, its reports as one run; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write the page to this file [default: standard output]
    #[arg(short, long, value_name = "OUT", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Open the page at this process
    #[arg(long, value_name = "PID")]
    pub process: Option<u32>,

    /// Show an interpreter's own functions between those of its language
    #[arg(long)]
    pub native: bool,

    /// Leave out leaks that this file names, in LeakSanitizer's format
    #[arg(long, value_name = "FILE")]
    pub suppressions: Option<PathBuf>,

    /// Look for separate debug files in this directory; can be repeated [default: /usr/lib/debug]
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,
}

/// `weir symbolize`
#[derive(Debug, Args)]
pub struct SymbolizeArgs {
    /// The report; of a directory, its reports as one run; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write to this file [default: FILE, in place of the report without names]; - is standard output
    #[arg(short, long, value_name = "OUT", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Look for separate debug files in this directory; can be repeated [default: /usr/lib/debug]
    ///
    /// As a directory of debug files for a package has them: .build-id/ab/cdef.debug, or the name in the section
    /// .gnu_debuglink. Weir also finds what debuginfod-find fetched.
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,
}

/// `weir recover`
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The region file [default: all region files in WEIR_REGION_DIR, else in /dev/shm and the directory for temporary files]
    ///
    /// Without it, weir lists all region files, and makes reports from those whose process has ended.
    #[arg(value_name = "REGION")]
    pub region: Option<PathBuf>,

    /// Write the JSON report to this file [default: the region's name with .json, in the working directory]; - is standard output
    #[arg(short, long, value_name = "FILE", requires = "region", value_parser = file_to_write())]
    pub out: Option<PathBuf>,

    /// Remove the region file of a process that has ended, after its report is written
    #[arg(long)]
    pub clean: bool,
}

/// `weir doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The program; weir searches PATH unless the name has a slash
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

#[cfg(test)]
mod tests;
