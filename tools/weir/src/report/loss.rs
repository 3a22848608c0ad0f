//! What a report lacks, so that its numbers may be too small.

use weir_record::functions::{Family, Function};
use weir_report::model::{IoUringSeen, Missed};

use crate::text;

/// A kind of loss, by the name that a budget accepts it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Calls before Weir's start-up or after its shutdown.
    Uncounted,
    /// Functions that the program binds to another object.
    NotInterposed,
    /// Programs that were started and are not in the report.
    Untraced,
    /// I/O through io_uring.
    IoUring,
    /// Timed calls that are in no histogram.
    Dropped,
    /// Files, errno values and blocks that the report does not list.
    Unlisted,
    /// What processes took of the machine, up to their end.
    Unread,
    /// What the report's notes say.
    Notes,
}

impl Loss {
    /// All of them.
    pub const ALL: [Loss; 8] = [
        Loss::Uncounted,
        Loss::NotInterposed,
        Loss::Untraced,
        Loss::IoUring,
        Loss::Dropped,
        Loss::Unlisted,
        Loss::Unread,
        Loss::Notes,
    ];

    /// Its name in a budget.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Uncounted => "uncounted",
            Loss::NotInterposed => "not_interposed",
            Loss::Untraced => "untraced",
            Loss::IoUring => "io_uring",
            Loss::Dropped => "dropped",
            Loss::Unlisted => "unlisted",
            Loss::Unread => "unread",
            Loss::Notes => "notes",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name)
    }
}

/// What a number is about, as far as that matters here.
#[derive(Clone, Copy, Debug, Default)]
pub enum About<'a> {
    /// All kinds of calls.
    #[default]
    All,
    /// One function.
    Function(&'a str),
    /// The percentiles of one function.
    Percentile(&'a str),
    /// The heap.
    Heap,
    /// Files, and what is not the heap.
    Io,
    /// What processes take of the machine: no calls.
    Usage,
}

impl About<'_> {
    /// Whether the calls of a function are in it.
    fn has(self, function: &str) -> bool {
        let is_of_heap = is_of_heap(function);
        match self {
            About::All => true,
            About::Function(own) | About::Percentile(own) => own == function,
            About::Heap => is_of_heap,
            About::Io => !is_of_heap,
            About::Usage => false,
        }
    }

    /// Whether io_uring can do what it counts.
    fn is_io(self) -> bool {
        match self {
            About::All | About::Io => true,
            About::Function(own) | About::Percentile(own) => !is_of_heap(own),
            About::Heap | About::Usage => false,
        }
    }
}

/// Whether a function allocates.
pub fn is_of_heap(function: &str) -> bool {
    Function::from_name(function).is_some_and(|known| known.row().family == Family::Alloc)
}

/// What befell a number: the kind, and a sentence.
pub type Suffered = (Loss, String);

/// All losses that may have made a number too small.
pub fn suffered(missed: &Missed, about: About<'_>) -> Vec<Suffered> {
    let mut all = Vec::new();
    if missed.uncounted_calls > 0 && !matches!(about, About::Usage) {
        let calls = text::counted(missed.uncounted_calls, "call was", "calls were");
        all.push((
            Loss::Uncounted,
            format!("{calls} not counted, before start-up or after shutdown"),
        ));
    }
    let missing = missed.not_interposed.iter();
    let missing: Vec<_> = missing.filter(|name| about.has(name)).collect();
    if !missing.is_empty() {
        let names = text::list(&missing);
        all.push((
            Loss::NotInterposed,
            format!("calls of {names} were not observed"),
        ));
    }
    let untraced = missed.untraced.len() as u64;
    let untraced = untraced.saturating_add(missed.unlisted_starts);
    if untraced > 0 {
        let programs = text::counted(untraced, "process was", "processes were");
        all.push((Loss::Untraced, format!("{programs} perhaps not traced")));
    }
    if about.is_io()
        && let Some(ring) = &missed.io_uring
    {
        let how = match ring.seen {
            IoUringSeen::Used => "used",
            IoUringSeen::AskedFor | IoUringSeen::Loaded => "perhaps used",
        };
        all.push((
            Loss::IoUring,
            format!("the program {how} io_uring, which is not observed"),
        ));
    }
    if matches!(about, About::Percentile(_)) && missed.dropped_samples > 0 {
        let calls = text::counted(missed.dropped_samples, "timed call is", "timed calls are");
        all.push((Loss::Dropped, format!("{calls} in no percentile")));
    }
    all.extend(missed.notes.iter().map(|note| (Loss::Notes, note.clone())));
    all
}
