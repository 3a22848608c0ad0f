use weir_record::settings;

use super::reading::run;
use super::*;
use crate::exit_code;

fn parsed(line: &[&str]) -> Result<Cli, NoCommand> {
    parse(["weir"].iter().chain(line).map(OsString::from))
}

fn run_args(line: &[&str]) -> RunArgs {
    match parsed(line) {
        Ok(Cli {
            command: Command::Run(run),
        }) => run,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn refusal(line: &[&str]) -> String {
    match parsed(line) {
        Err(NoCommand::Failed(failure)) => {
            assert_eq!(failure.code, exit_code::USAGE);
            failure.in_one_line()
        }
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn clap_finds_nothing_wrong_with_the_definition() {
    definition().debug_assert();
}

#[test]
fn everything_from_the_program_on_is_its_own() {
    for line in [
        &[
            "run", "-q", "ls", "-l", "--quiet", "--time", "x", "--", "-o", "y",
        ][..],
        &[
            "run", "-q", "--", "ls", "-l", "--quiet", "--time", "x", "--", "-o", "y",
        ],
    ] {
        let run = run_args(line);
        assert!(run.quiet);
        assert_eq!(run.out, None);
        assert_eq!(run.time, None);
        let expected = ["ls", "-l", "--quiet", "--time", "x", "--", "-o", "y"];
        assert_eq!(run.program, expected.map(OsString::from));
    }
    assert!(!run_args(&["run", "ls", "-q"]).quiet);
}

#[test]
fn an_unknown_option_is_not_taken_for_the_program() {
    assert!(refusal(&["run", "--bogus", "ls"]).starts_with("unexpected argument '--bogus' found"));
    assert!(refusal(&["run", "--qiet", "ls"]).contains("a similar argument exists: '--quiet'"));
    assert!(refusal(&["run", "-x"]).contains("-x"));
    assert_eq!(
        run_args(&["run", "--", "-x", "y"]).program,
        ["-x", "y"].map(OsString::from)
    );
    assert!(
        refusal(&["report", "--bogus", "f"]).starts_with("unexpected argument '--bogus' found")
    );
}

#[test]
fn timing_and_interval_are_those_of_the_settings() {
    let run = run_args(&["run", "--time", "all", "-i", "0.5", "ls"]);
    assert_eq!(run.time, Some(Timing::OneIn(1)));
    assert_eq!(run.interval, Some(Duration::from_millis(500)));
    assert_eq!(
        run_args(&["run", "--time=off", "ls"]).time,
        Some(Timing::Off)
    );
    assert_eq!(
        run_args(&["run", "-t64", "ls"]).time,
        Some(Timing::OneIn(64))
    );
    assert_eq!(
        refusal(&["run", "--time", "0", "ls"]),
        "invalid value '0' for '--time <all|N|off>': must be all, off, or a number N from 1 to 1000000 (see 'weir run --help')"
    );
    assert_eq!(
        refusal(&["run", "--bogus", "ls"]),
        "unexpected argument '--bogus' found (see 'weir run --help')"
    );
    for bad in ["0", "-1", "inf", "NaN", "1e9", ""] {
        assert!(
            refusal(&["run", "--interval", bad, "ls"]).contains("interval"),
            "{bad}"
        );
    }
}

#[test]
fn a_refusal_is_one_line_and_says_where_help_is() {
    let lines: [&[&str]; 6] = [
        &[],
        &["run"],
        &["report"],
        &["bogus"],
        &["report", "x", "--widht", "3"],
        &["report", "x", "--width", "3"],
    ];
    for line in lines {
        let message = refusal(line);
        assert!(!message.contains('\n'), "{message}");
        assert!(message.contains("--help'"), "{message}");
    }
    assert_eq!(
        refusal(&["report", "x", "--widht", "3"]),
        "unexpected argument '--widht' found; a similar argument exists: '--width' (see 'weir report --help')"
    );
    assert_eq!(
        refusal(&["run"]),
        "the following required arguments were not provided: <PROGRAM> [ARGUMENTS]... (see 'weir run --help')"
    );
}

#[test]
fn help_and_version_are_no_failures() {
    for line in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["help", "report"],
    ] {
        assert!(matches!(parsed(line), Err(NoCommand::Asked(_))), "{line:?}");
    }
}

/// The help says what the default is; this is where it would be forgotten.
#[test]
fn the_default_timing_is_the_one_in_the_help() {
    let Err(NoCommand::Asked(help)) = parsed(&["run", "--help"]) else {
        panic!()
    };
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains(&format!(
            "one allocation call in {}",
            settings::DEFAULT_ONE_IN
        )),
        "{help}"
    );
}

/// The definition of `run` that is made for speed takes a line as the whole one does, and takes no line that the whole one
/// refuses: all lines of up to three of these words.
#[test]
fn the_short_definition_of_run_says_what_the_whole_one_says() {
    const WORDS: [&str; 15] = [
        "ls",
        "-l",
        "--",
        "-q",
        "--quiet",
        "-o",
        "--out=x",
        "--time",
        "off",
        "-t7",
        "-i",
        "0.5",
        "--coop",
        "--stacks=all",
        "--help",
    ];
    let whole = |line: &[OsString]| match Cli::try_parse_from(line) {
        Ok(Cli {
            command: Command::Run(args),
        }) => Some(format!("{args:?}")),
        Ok(other) => panic!("{line:?}: {other:?}"),
        Err(_) => None,
    };
    let mut lines = 0;
    for length in 0..=3 {
        for number in 0..WORDS.len().pow(length) {
            let words =
                (0..length).map(|place| WORDS[number / WORDS.len().pow(place) % WORDS.len()]);
            let line: Vec<OsString> = ["weir", "run"]
                .into_iter()
                .chain(words)
                .map(OsString::from)
                .collect();
            let short = run(&line).map(|args| format!("{args:?}"));
            assert_eq!(short, whole(&line), "{line:?}");
            lines += usize::from(short.is_some());
        }
    }
    assert!(lines > 100, "{lines}");
}
