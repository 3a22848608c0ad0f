//! Reads the command line, and says in one line what is wrong with it.

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use super::{Cli, Command, RunArgs};
use crate::exit_code;
use crate::failure::Failure;

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
pub fn run(arguments: &[OsString]) -> Option<RunArgs> {
    let (_, from_run) = arguments.split_first()?;
    let definition = match from_run.first() {
        Some(name) if name == "run" => RunArgs::augment_args(clap::Command::new("run")),
        _ => return None,
    };
    // Nor are the definition and what is left of the matches freed: both are small, and weir ends soon.
    let mut definition = ManuallyDrop::new(definition);
    let mut matches = ManuallyDrop::new(definition.try_get_matches_from_mut(from_run).ok()?);
    RunArgs::from_arg_matches_mut(&mut matches).ok()
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
            let definition = definition();
            let commands = definition
                .get_subcommands()
                .filter(|command| !command.is_hide_set());
            let names: Vec<&str> = commands.map(clap::Command::get_name).collect();
            let message = format!(
                "no command given; the commands are {} (see 'weir --help')",
                names.join(", ")
            );
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
