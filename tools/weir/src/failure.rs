//! What went wrong, why, what to do about it, and the exit code that goes with it.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::exit_code;
use crate::text;

/// Why a command did not do what it was asked to. Its text is what is wrong, without the cause and the remedy;
/// [`Failure::in_one_line`] has all three.
#[derive(Debug)]
pub struct Failure {
    /// The exit code; see [`exit_code`].
    pub code: u8,
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    remedy: Option<String>,
}

impl Failure {
    /// A failure with an exit code of its own.
    pub fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
            cause: None,
            remedy: None,
        }
    }

    /// A failure of Weir itself.
    pub fn of_weir(message: impl Into<String>) -> Failure {
        Failure::new(exit_code::WEIR_FAILED, message)
    }

    /// An attempt at a file failed: `cannot read x.json: No such file or directory`.
    pub fn of_file(attempt: &str, path: &Path, cause: io::Error) -> Failure {
        Failure::of_weir(format!("cannot {attempt} {}", path.display())).because(cause)
    }

    /// Adds the cause.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// Adds what to do.
    pub fn with_remedy(self, remedy: impl Into<String>) -> Failure {
        Failure {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// What is wrong, why, and what to do.
    pub fn in_one_line(&self) -> String {
        let mut line = with_causes(self);
        if let Some(remedy) = &self.remedy {
            line += "; ";
            line += remedy;
        }
        line
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause: &(dyn Error + 'static) = self.cause.as_deref()?;
        Some(cause)
    }
}

/// The text of an error, and those of its causes behind it.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = words(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &words(error);
        cause = error.source();
    }
    text
}

/// The text of one error, without the `(os error 2)` that Rust adds.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error ").filter(|_| error.is::<io::Error>()) {
        text.truncate(end);
    }
    text
}

/// Says on standard error what is wrong, in one line.
pub fn complain(message: &str) {
    // A file name may hold a line break, or what a terminal takes for a command. Where standard error is gone too, the exit
    // code has to do.
    let _ = writeln!(io::stderr(), "weir: {}", text::printable(message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_causes_and_the_remedy() {
        let error = || io::Error::from_raw_os_error(libc::ENOENT);
        let failure = Failure::of_file("read", Path::new("x"), error());
        assert_eq!(failure.to_string(), "cannot read x");
        assert_eq!(
            failure.in_one_line(),
            "cannot read x: No such file or directory"
        );
        assert_eq!(failure.code, exit_code::WEIR_FAILED);

        let source = failure.source().and_then(|source| source.downcast_ref());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound));

        let outer = Failure::new(exit_code::USAGE, "nothing works").because(failure);
        assert_eq!(
            outer.with_remedy("make x").in_one_line(),
            "nothing works: cannot read x: No such file or directory; make x"
        );
    }
}
