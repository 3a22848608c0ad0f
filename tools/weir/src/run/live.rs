//! `weir run --live`: a thread that shows on the terminal what the program's processes do. How that looks, a higher layer
//! knows; it reads the regions as files, and the collector does not notice.
//!
//! Whatever becomes of the page, the program goes on, and so does all else that weir does.

use std::any::Any;
use std::fs::File;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use libc::pid_t;

use crate::failure::{complain, with_causes};
use crate::{stack, terminal};

/// What shows a run, until that is [over](Run::is_over), or until somebody has seen enough.
pub type Show = fn(&Arc<Run>) -> io::Result<()>;

/// The thread that shows, by its id in the kernel. 0 where there is none.
static THREAD: AtomicI32 = AtomicI32::new(0);
/// Whether it had no memory.
static HAD_NO_MEMORY: AtomicBool = AtomicBool::new(false);

/// A run, for who looks on.
#[derive(Debug)]
pub struct Run {
    session: PathBuf,
    /// Where the regions are that had no name at first.
    named: OnceLock<PathBuf>,
    is_over: AtomicBool,
    /// Why it is shown no longer.
    failed: OnceLock<String>,
    /// The terminal, to read keys.
    pub tty: File,
}

impl Run {
    /// The directories in which all regions of the run are that have names.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        let all = [Some(&self.session), self.named.get()];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether the program has ended.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// The page.
#[derive(Debug)]
pub struct Live(Arc<Run>);

impl Live {
    /// Shows the regions of a session on a terminal that is [open](terminal::open).
    pub fn start(tty: File, session: &Path, show: Show) -> Live {
        let run = Arc::new(Run {
            session: session.to_owned(),
            named: OnceLock::new(),
            is_over: AtomicBool::new(false),
            failed: OnceLock::new(),
            tty,
        });
        let shown = run.clone();
        let thread = thread::Builder::new()
            .name("live".to_owned())
            .stack_size(stack::BYTES);
        if let Err(error) = thread.spawn(move || be_shown(&shown, show)) {
            let _ = run.failed.set(with_causes(&error));
        }
        Live(run)
    }

    /// Tells where the regions are that had no name at first, once that is known.
    pub fn show_named(&self, named: Option<&Path>) {
        if let Some(named) = named {
            self.0.named.get_or_init(|| named.to_owned());
        }
    }

    /// The program has ended: the terminal is as it was, also where the thread is in the middle of a look. What went wrong with
    /// the page is said now.
    pub fn end(self) {
        let run = self.0.clone();
        drop(self);
        let failed = match HAD_NO_MEMORY.load(Ordering::Acquire) {
            true => Some("not enough memory"),
            false => run.failed.get().map(String::as_str),
        };
        if let Some(failed) = failed {
            complain(&format!(
                "the page of --live ended before the program: {failed}; the report has everything"
            ));
        }
    }
}

impl Drop for Live {
    /// Gives the terminal back also where a panic ends weir.
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        terminal::give_back();
    }
}

/// In the thread.
fn be_shown(run: &Arc<Run>, show: Show) {
    // SAFETY: no memory is involved.
    THREAD.store(unsafe { libc::gettid() }, Ordering::Relaxed);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // Standard error is the program's while that runs.
        if !is_here() {
            usual(panic);
        }
    }));
    let shown = panic::catch_unwind(AssertUnwindSafe(|| terminal::without_stops(|| show(run))));
    let failed = match shown {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(with_causes(&error)),
        Err(panic) => Some(format!("a fault in Weir ({})", words(&*panic))),
    };
    if let Some(failed) = failed {
        let _ = run.failed.set(failed);
    }
    terminal::give_back();
    THREAD.store(0, Ordering::Relaxed);
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
}

/// Whether this is the thread that shows.
pub fn is_here() -> bool {
    // SAFETY: no memory is involved.
    let this: pid_t = unsafe { libc::gettid() };
    THREAD.load(Ordering::Relaxed) == this
}

/// Ends the page where this thread, which shows it, has no memory to go on. It holds no lock that another thread needs.
/// Allocates nothing.
pub fn give_up() -> ! {
    HAD_NO_MEMORY.store(true, Ordering::Release);
    terminal::give_back();
    loop {
        // What asks for memory cannot unwind, and so the thread stays where it is.
        // SAFETY: no memory is involved.
        unsafe { libc::pause() };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn start(show: Show) -> (Live, Arc<Run>) {
        let tty = File::open("/dev/null").unwrap();
        let live = Live::start(tty, Path::new("/nonexistent"), show);
        let run = live.0.clone();
        (live, run)
    }

    #[test]
    fn a_panic_ends_the_page_wherever_it_is() {
        let (live, run) = start(|_| panic!("on purpose"));
        let began = Instant::now();
        while run.failed.get().is_none() && began.elapsed() < Duration::from_secs(60) {
            thread::yield_now();
        }
        let failed = run.failed.get().map(String::as_str);
        assert_eq!(failed, Some("a fault in Weir (on purpose)"));
        drop(live);

        let (live, run) = start(|run| {
            while !run.is_over() {
                thread::yield_now();
            }
            Ok(())
        });
        let elsewhere = move || {
            let _live = live;
            panic!("on purpose")
        };
        let panicked = panic::catch_unwind(AssertUnwindSafe(elsewhere));
        assert!(panicked.is_err() && run.is_over());
    }
}
