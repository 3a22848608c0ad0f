//! What a process gives up: the right to make any system call, the time-stamp counter, its additional threads.
//!
//! All of it is prepared before the call, because nothing can be done after it. If the call fails, it is undone:
//! programs also make such calls to find out whether they are possible.

use weir_record::region::{Circumstance, Section};

use crate::arch;
use crate::life::writer;
use crate::process::{Whose, header, is_sharer, whose};
use crate::program_memory;
use crate::region::{mapping, slots};
use crate::sys::{self, is_sealed};
use crate::{files, stacks, thread};

/// What a call takes from the process if it succeeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taking {
    /// The right to make any system call. The circumstance is how it is taken.
    pub calls: Option<Circumstance>,
    /// The time-stamp counter, from the calling thread.
    pub clock: bool,
    /// The right to identify the processor (CPUID), from the calling thread.
    pub processor: bool,
    /// The working directory that all threads have, from the calling thread: it gets its own.
    pub directory: bool,
    /// Nothing, but the call fails if the process has a second thread.
    pub needs_one_thread: bool,
}

impl Taking {
    /// Whether the call takes anything.
    pub fn is_any(self) -> bool {
        self != Taking::default()
    }

    /// Prepares for the call.
    pub fn begin(self) -> Taken {
        if self.processor {
            sys::counter::is_steady();
            arch::remember_processor();
        }
        if self.directory {
            files::part_directories();
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

/// What [`Taking::begin`] has prepared.
pub struct Taken {
    calls: Option<Circumstance>,
    /// The calling thread's calls were timed one in this number before.
    clock: Option<u32>,
    is_stopped: bool,
}

impl Taken {
    /// Called after the call. If it failed, undoes the preparations.
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

/// Called before the process gives up that right. Returns false if it had given it up before. Also returns false for a
/// child of vfork, which seals only itself.
fn seal(circumstance: Circumstance) -> bool {
    let Some(header) = header() else { return false };
    if is_sealed() || whose(header) == Whose::Vfork {
        return false;
    }
    sys::with_errno_kept(|| {
        header.note(circumstance);
        sys::counter::compare(header.started.get());
        if !is_sharer() {
            header.latest.set(sys::now());
        }
        slots::complete_rings();
        program_memory::prepare();
        stacks::prepare_for_sandbox();
        files::prepare_for_sandbox();
        for section in Section::ALL {
            mapping::make_section(header, section);
        }
        writer::pause();
    });
    sys::seal();
    true
}

/// Undoes [`seal`] after the call has failed.
fn unseal(circumstance: Circumstance) {
    sys::unseal();
    let Some(header) = header() else { return };
    sys::with_errno_kept(|| {
        header.forget(circumstance);
        writer::start_again();
    });
}

/// Called before the calling thread loses the time-stamp counter. Returns what [`give_back_clock`] takes.
fn take_clock() -> Option<u32> {
    let header = header()?;
    sys::counter::take(header.started.get());
    header.note(Circumstance::ClockTaken);
    Some(thread::home().map_or(0, |slot| slot.countdown.turn_off()))
}

/// Undoes [`take_clock`] after the call has failed. Of the thread's calls, one in `one_in` is timed again.
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
