//! The example, run as a user would: with Weir and without.

#[path = "../../../../tests/end_to_end/support/built.rs"]
mod built;
mod under_weir;
mod without_weir;

use std::process::{Command, Output};

/// What a run of `coop_echo` has said, and whether it went well.
struct Said {
    text: String,
    well: bool,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        Self {
            text: String::from_utf8(text).expect("UTF-8"),
            well: output.status.success(),
        }
    }

    /// The number before these words.
    #[track_caller]
    fn number_before(&self, words: &str) -> f64 {
        let before = self
            .text
            .split(words)
            .next()
            .filter(|text| *text != self.text);
        let before = before.unwrap_or_else(|| panic!("{words:?} is not in {:?}", self.text));
        let number = before.rsplit(' ').next().expect("a word");
        number
            .parse()
            .unwrap_or_else(|_| panic!("{number:?} before {words:?}"))
    }

    #[track_caller]
    fn says(&self, words: &str) {
        assert!(
            self.text.contains(words),
            "{words:?} is not in {:?}",
            self.text
        );
    }
}

fn coop_echo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coop_echo"))
}

fn run(command: &mut Command) -> Said {
    Said::of(&command.output().expect("it runs"))
}
