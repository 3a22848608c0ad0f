//! JSON with a line for each entry that a reader may look for: a function, a thread, a slow call.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// How deep the lines break: the report, and each list or map in it.
const REPORT_DEPTH: usize = 2;
/// The same within `processes`, which holds what is a report in itself.
const PROCESS_DEPTH: usize = 4;

/// Where the serializer is.
#[derive(Debug, Default)]
pub struct Lines {
    depth: usize,
    /// Whether a list or map has just been opened.
    is_empty: bool,
    /// Whether a key is being written.
    in_key: bool,
    /// Whether this is within `processes`.
    in_processes: bool,
}

impl Lines {
    fn open<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_add(1);
        self.is_empty = true;
        writer.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.breaks() && !self.is_empty {
            writer.write_all(b"\n")?;
        }
        self.depth = self.depth.saturating_sub(1);
        self.is_empty = false;
        writer.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.is_empty = false;
        if !first {
            writer.write_all(b",")?;
        }
        if self.breaks() {
            writer.write_all(b"\n")?;
        }
        Ok(())
    }

    fn breaks(&self) -> bool {
        let depth = if self.in_processes {
            PROCESS_DEPTH
        } else {
            REPORT_DEPTH
        };
        self.depth <= depth
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.next(writer, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.in_key = true;
        self.next(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_key = false;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.in_key && self.depth == 1 {
            self.in_processes = fragment == "processes";
        }
        writer.write_all(fragment.as_bytes())
    }
}
