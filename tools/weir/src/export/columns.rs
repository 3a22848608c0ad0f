//! The columns that tables have in more than one format.

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether there are rows that have no value.
    pub is_optional: bool,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
}

impl Column {
    /// A column of numbers.
    pub const fn number(name: &'static str) -> Column {
        Column {
            name,
            kind: Kind::Number,
            is_optional: false,
        }
    }

    /// A column of text.
    pub const fn text(name: &'static str) -> Column {
        Column {
            name,
            kind: Kind::Text,
            is_optional: false,
        }
    }

    /// The same where values may be missing.
    pub const fn optional(self) -> Column {
        Column {
            is_optional: true,
            ..self
        }
    }
}

/// Of a function.
pub const FUNCTION: [Column; 18] = [
    Column::text("function"),
    Column::text("family"),
    Column::number("calls"),
    Column::number("errors"),
    Column::number("requested_bytes"),
    Column::number("moved_bytes"),
    Column::number("reentrant"),
    Column::number("timed").optional(),
    Column::number("dropped").optional(),
    Column::number("total_ns").optional(),
    Column::number("estimated_total_ns").optional(),
    Column::number("min_ns").optional(),
    Column::number("mean_ns").optional(),
    Column::number("p50_ns").optional(),
    Column::number("p90_ns").optional(),
    Column::number("p99_ns").optional(),
    Column::number("p99_9_ns").optional(),
    Column::number("max_ns").optional(),
];

/// Of the failed calls of a function by errno.
pub const ERROR: [Column; 3] = [
    Column::text("function"),
    Column::text("errno").optional(),
    Column::number("calls"),
];

/// Of a file or socket.
pub const FILE: [Column; 16] = [
    Column::text("kind"),
    Column::text("name"),
    Column::number("opens"),
    Column::number("reads"),
    Column::number("writes"),
    Column::number("other_calls"),
    Column::number("errors"),
    Column::number("read_bytes"),
    Column::number("written_bytes"),
    Column::number("mapped_bytes"),
    Column::number("read_ns"),
    Column::number("write_ns"),
    Column::number("other_ns"),
    Column::number("sequential"),
    Column::number("random"),
    Column::number("switches"),
];

/// Of a process image, after its process id.
pub const PROCESS: [Column; 17] = [
    Column::number("parent_pid"),
    Column::number("processes"),
    Column::text("executable"),
    Column::text("command"),
    Column::text("started_at").optional(),
    Column::number("duration_ns"),
    Column::text("end"),
    Column::number("status").optional(),
    Column::number("signal").optional(),
    Column::number("calls"),
    Column::number("live_bytes").optional(),
    Column::number("live_blocks").optional(),
    Column::number("inherited_bytes").optional(),
    Column::number("inherited_blocks").optional(),
    Column::number("peak_bytes").optional(),
    Column::number("peak_error_bytes").optional(),
    Column::text("title").optional(),
];
