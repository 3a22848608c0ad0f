//! Reads a report back, in bounded memory and without trust: a file may be cut off, of another
//! format, or made to hurt.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;

use crate::model::{Report, SCHEMA};

/// The most bytes that a report may have.
pub const MAX_BYTES: u64 = 1 << 30;

/// The most values (numbers, strings, lists, objects) that a report may have. A gibibyte of real
/// report has fewer; a gibibyte of `"",` has more, and would take many gibibytes of memory.
pub const MAX_VALUES: usize = 48 << 20;

/// What is refused; tests have smaller ones.
struct Limits {
    bytes: u64,
    values: usize,
}

const LIMITS: Limits = Limits {
    bytes: MAX_BYTES,
    values: MAX_VALUES,
};

/// Why there is no report.
#[derive(Debug)]
pub enum ReadError {
    /// The system would not let it be read.
    Io(io::Error),
    /// It is a directory.
    IsDirectory,
    /// It has nothing in it.
    Empty,
    /// It has more than [`MAX_BYTES`].
    TooLarge,
    /// It has more than [`MAX_VALUES`].
    TooManyValues,
    /// It ends in the middle, after this many bytes.
    Truncated {
        /// How many bytes there are.
        bytes: u64,
    },
    /// It is not JSON.
    NotJson(serde_json::Error),
    /// It is JSON, and something else than a report of Weir.
    NotAReport,
    /// It is a report in another version of the format: this one.
    OtherVersion(String),
    /// It says that it is a report in this format, and is not.
    Invalid(serde_json::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io(error) => match error.to_string().split_once(" (os error ") {
                Some((words, _)) => f.write_str(words),
                None => error.fmt(f),
            },
            ReadError::IsDirectory => f.write_str("it is a directory, not a report"),
            ReadError::Empty => f.write_str("it is empty; was the program still running?"),
            ReadError::TooLarge => write!(f, "it is larger than {} GiB", MAX_BYTES >> 30),
            ReadError::TooManyValues => {
                write!(
                    f,
                    "it holds more than {} million values, which no report does",
                    MAX_VALUES / 1_000_000
                )
            }
            ReadError::Truncated { bytes } => {
                write!(
                    f,
                    "it is cut off: the JSON is not complete after {bytes} bytes"
                )
            }
            ReadError::NotJson(error) => {
                write!(f, "it is not a report of Weir: not JSON ({error})")
            }
            ReadError::NotAReport => {
                write!(
                    f,
                    "it is JSON, but not a report of Weir (no \"schema\": \"{SCHEMA}\")"
                )
            }
            ReadError::OtherVersion(schema) => {
                write!(
                    f,
                    "it is in the format {schema}; this version of weir reads {SCHEMA}"
                )
            }
            ReadError::Invalid(error) => write!(f, "it is not a valid {SCHEMA}: {error}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io(error) => Some(error),
            ReadError::NotJson(error) | ReadError::Invalid(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::IsADirectory => ReadError::IsDirectory,
            _ => ReadError::Io(error),
        }
    }
}

/// Reads the report in a file.
pub fn load(path: &Path) -> Result<Report, ReadError> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    from_reader(file)
}

/// Reads a report to the end of a stream.
pub fn from_reader(stream: impl Read) -> Result<Report, ReadError> {
    stream_within(stream, &LIMITS)
}

/// Reads a report from memory.
pub fn from_slice(text: &[u8]) -> Result<Report, ReadError> {
    slice_within(text, &LIMITS)
}

fn stream_within(stream: impl Read, limits: &Limits) -> Result<Report, ReadError> {
    let mut text = Vec::new();
    stream.take(limits.bytes + 1).read_to_end(&mut text)?;
    slice_within(&text, limits)
}

fn slice_within(text: &[u8], limits: &Limits) -> Result<Report, ReadError> {
    if text.len() as u64 > limits.bytes {
        return Err(ReadError::TooLarge);
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty);
    }
    // Before every value but the outermost stands one of these, perhaps with a key between; those
    // inside strings count too, which errs on the side of too many.
    let values = text
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count();
    if values > limits.values {
        return Err(ReadError::TooManyValues);
    }
    check_schema(text)?;
    serde_json::from_slice(text).map_err(ReadError::Invalid)
}

/// Looks at nothing but the format's name, and at whether the text is JSON to its end.
fn check_schema(text: &[u8]) -> Result<(), ReadError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: String,
    }
    match serde_json::from_slice::<Probe>(text) {
        Ok(probe) if probe.schema == SCHEMA => Ok(()),
        Ok(probe) if is_report_schema(&probe.schema) => Err(ReadError::OtherVersion(probe.schema)),
        Ok(_) => Err(ReadError::NotAReport),
        Err(error) if error.is_data() => Err(ReadError::NotAReport),
        Err(error) if error.is_eof() => Err(ReadError::Truncated {
            bytes: text.len() as u64,
        }),
        Err(error) => Err(ReadError::NotJson(error)),
    }
}

/// Whether the name is this format's, in whatever version.
fn is_report_schema(name: &str) -> bool {
    let version = name.strip_prefix("weir.report/");
    version.is_some_and(|version| {
        version.len() <= 10 && version.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
