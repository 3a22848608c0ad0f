//! What a process takes from itself: the right to make any system call it likes, the time-stamp counter, its threads.
//!
//! All of it is prepared before the call that does so, since nothing can be done after it; and undone where that call
//! fails: programs ask for such things to find out whether they could have them.

use weir_record::region::{Circumstance, Section};

use crate::arch;
use crate::life::writer;
use crate::process::{Whose, header, is_sharer, whose};
use crate::region::{mapping, slots};
use crate::sys::{self, is_sealed, set_sealed};
use crate::thread;

/// What a call takes from the process, if it succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taking {
    /// The right to make any system call, in a way of which this tells.
    pub calls: Option<Circumstance>,
    /// From the calling thread, the time-stamp counter.
    pub clock: bool,
    /// From the calling thread, the right to ask the processor what it is.
    pub processor: bool,
    /// Nothing, but it fails where the process has a second thread.
    pub needs_one_thread: bool,
}

impl Taking {
    /// Whether it takes anything.
    pub fn is_any(self) -> bool {
        self != Taking::default()
    }

    /// Prepares for it.
    pub fn begin(self) -> Taken {
        if self.processor {
            sys::counter::is_steady();
            arch::remember_processor();
        }
        let clock = self.clock.then(take_clock).flatten();
        let calls = self.calls.filter(|&circumstance| seal(circumstance));
        let is_stopped = self.needs_one_thread && calls.is_none() && writer::pause();
        Taken {
            calls,
            clock,
            is_stopped,
        }
    }
}

/// What was prepared for.
pub struct Taken {
    calls: Option<Circumstance>,
    /// How often the calling thread's calls were timed.
    clock: Option<u32>,
    is_stopped: bool,
}

impl Taken {
    /// The call has been made.
    pub fn end(self, succeeded: bool) {
        if self.is_stopped {
            sys::with_errno_kept(writer::start_again);
        }
        if succeeded {
            return;
        }
        if let Some(circumstance) = self.calls {
            unseal(circumstance);
        }
        if let Some(one_in) = self.clock {
            give_back_clock(one_in);
        }
    }
}

/// The process is about to take that right from itself. False where it had done so before, or it is a child of
/// vfork, which seals nothing but itself.
fn seal(circumstance: Circumstance) -> bool {
    let Some(header) = header() else { return false };
    if is_sealed() || whose(header) == Whose::Vfork {
        return false;
    }
    sys::with_errno_kept(|| {
        header.note(circumstance);
        if !is_sharer() {
            header.latest.set(sys::now());
        }
        slots::complete_rings();
        for section in Section::ALL {
            mapping::make_section(header, section);
        }
        writer::pause();
    });
    set_sealed(true);
    true
}

/// It was not to be.
fn unseal(circumstance: Circumstance) {
    set_sealed(false);
    let Some(header) = header() else { return };
    sys::with_errno_kept(|| {
        header.forget(circumstance);
        writer::start_again();
    });
}

/// The calling thread is about to lose the time-stamp counter. How often its calls were timed.
fn take_clock() -> Option<u32> {
    let header = header()?;
    sys::counter::take(header.started.get());
    header.note(Circumstance::ClockTaken);
    Some(thread::home().map_or(0, |slot| slot.countdown.turn_off()))
}

/// It was not to be.
fn give_back_clock(one_in: u32) {
    sys::counter::give_back();
    if sys::counter::is_taken() {
        return;
    }
    if let Some(header) = header() {
        header.forget(Circumstance::ClockTaken);
    }
    if let Some(slot) = thread::home() {
        slot.countdown.turn_on(one_in);
    }
}
