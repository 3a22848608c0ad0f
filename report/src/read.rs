//! Reads a report back, in bounded memory and without trust: a file may be truncated, in another
//! format, or hostile.

mod metered;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};

use crate::model::{Report, SCHEMA, Stacks};
use metered::{Meter, Metered};

/// The most bytes that a report may have.
pub const MAX_BYTES: u64 = 256 << 20;

/// The most memory that reading one may take: the text, and what it says. What shows it needs some more.
pub const MAX_MEMORY: u64 = 320 << 20;

/// What is refused; others have smaller ones.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the text.
    pub bytes: u64,
    /// Of the text, and of what it says.
    pub memory: u64,
}

impl Limits {
    /// Those of a report that a user asks for.
    pub const WIDE: Limits = Limits {
        bytes: MAX_BYTES,
        memory: MAX_MEMORY,
    };
}

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
    /// It says more than [`MAX_MEMORY`] holds.
    TooMuch,
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
            ReadError::TooLarge => write!(f, "it is larger than {} MiB", MAX_BYTES >> 20),
            ReadError::TooMuch => write!(
                f,
                "it says more than {} MiB of memory hold; ask jq(1) for what you need of it",
                MAX_MEMORY >> 20
            ),
            ReadError::Truncated { bytes } => {
                write!(
                    f,
                    "it is cut off: the JSON is not complete after {bytes} bytes"
                )
            }
            ReadError::NotJson(_) => f.write_str("it is not a report of Weir: not JSON"),
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
            ReadError::Invalid(_) => write!(f, "it is not a valid {SCHEMA}"),
        }
    }
}

impl std::error::Error for ReadError {
    /// `Io` has the text of the inner error, so its source is the inner one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ReadError::Io(error) => error.source(),
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

/// Reads the report in a regular file that anybody may have put there: a link is not followed, and nothing is waited
/// for.
pub fn load_found(path: &Path, limits: Limits) -> Result<Report, ReadError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    if metadata.len() > limits.bytes {
        return Err(ReadError::TooLarge);
    }
    stream_within(file, limits)
}

/// Reads a report to the end of a stream.
pub fn from_reader(stream: impl Read) -> Result<Report, ReadError> {
    stream_within(stream, Limits::WIDE)
}

/// Reads a report from memory.
pub fn from_slice(text: &[u8]) -> Result<Report, ReadError> {
    slice_within(text, Limits::WIDE)
}

fn stream_within(stream: impl Read, limits: Limits) -> Result<Report, ReadError> {
    let mut text = Vec::new();
    stream.take(limits.bytes + 1).read_to_end(&mut text)?;
    slice_within(&text, limits)
}

fn slice_within(text: &[u8], limits: Limits) -> Result<Report, ReadError> {
    if text.len() as u64 > limits.bytes {
        return Err(ReadError::TooLarge);
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty);
    }
    check_schema(text)?;
    let meter = Meter::new(limits.memory.saturating_sub(text.len() as u64));
    let mut json = serde_json::Deserializer::from_slice(text);
    let report = Report::deserialize(Metered::new(&mut json, &meter)).map_err(|error| {
        if meter.is_exceeded() {
            ReadError::TooMuch
        } else {
            ReadError::Invalid(error)
        }
    })?;
    check_stacks(&report)?;
    Ok(report)
}

/// Who reads a report follows the indexes in its stacks without another look.
fn check_stacks(report: &Report) -> Result<(), ReadError> {
    for process in &report.processes {
        if let Some(Err(bad)) = process.stacks.as_ref().map(Stacks::check) {
            let words = format_args!("stacks of process {}: {bad}", process.pid);
            return Err(ReadError::Invalid(serde_json::Error::custom(words)));
        }
    }
    Ok(())
}

/// Looks at nothing but the format's name, and at whether the text is JSON to its end.
fn check_schema(text: &[u8]) -> Result<(), ReadError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: String,
    }
    let not_json = |error: serde_json::Error| match error.is_eof() {
        true => ReadError::Truncated {
            bytes: text.len() as u64,
        },
        false => ReadError::NotJson(error),
    };
    match serde_json::from_slice::<Probe>(text) {
        Ok(probe) if probe.schema == SCHEMA => Ok(()),
        Ok(probe) if is_report_schema(&probe.schema) => Err(ReadError::OtherVersion(probe.schema)),
        Ok(_) => Err(ReadError::NotAReport),
        // What does not fit ended the reading, perhaps before the first character that is no JSON.
        Err(error) if error.is_data() => match serde_json::from_slice::<IgnoredAny>(text) {
            Ok(_) => Err(ReadError::NotAReport),
            Err(error) => Err(not_json(error)),
        },
        Err(error) => Err(not_json(error)),
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
