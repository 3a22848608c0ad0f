//! What went wrong, in one line, and the exit code that goes with it.

use std::fmt;
use std::path::Path;

use crate::exit_code;
use crate::text;

/// Why a command did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code; see [`exit_code`].
    pub code: u8,
    /// One line that says what is wrong and what to do, without `weir: ` before it.
    pub message: String,
}

impl Failure {
    /// A failure with an exit code of its own.
    pub fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }

    /// A failure of Weir itself.
    pub fn of_weir(message: impl Into<String>) -> Failure {
        Failure::new(exit_code::WEIR_FAILED, message)
    }

    /// What the system said to an attempt at a file: `cannot read x.json: No such file or directory`.
    pub fn of_file(attempt: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure::of_weir(format!(
            "cannot {attempt} {}: {}",
            path.display(),
            system_says(error)
        ))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file name may hold a line break, or what a terminal takes for a command.
        f.write_str(&text::printable(&self.message))
    }
}

/// The words of an I/O error, without the `(os error 2)` that Rust adds.
pub fn system_says(error: &std::io::Error) -> String {
    let words = error.to_string();
    match words.find(" (os error ") {
        Some(end) => words[..end].to_owned(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_a_file_is_called() {
        let error = std::io::Error::from_raw_os_error(libc::ENOENT);
        let failure = Failure::of_file("read", Path::new("a\nb\x1b[2J"), &error);
        assert_eq!(
            failure.to_string(),
            "cannot read a\\nb\\u{1b}[2J: No such file or directory"
        );
        assert_eq!(failure.code, exit_code::WEIR_FAILED);
    }
}
