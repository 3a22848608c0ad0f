//! The exit codes of `weir`, those that `env`, `nice` and `timeout` use too.
//!
//! `weir run` exits with the code of its program, so these are the codes of Weir itself.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The command did what it was asked to.
pub const SUCCESS: u8 = 0;
/// A limit of a budget is broken.
pub const BROKEN: u8 = 1;
/// The arguments make no sense; nothing was done.
pub const USAGE: u8 = 2;
/// Weir itself failed: a report that cannot be read, an output that cannot be written.
pub const WEIR_FAILED: u8 = 125;
/// The program was found, but cannot be executed, or not under Weir.
pub const CANNOT_TRACE: u8 = 126;
/// There is no such program.
pub const NOT_FOUND: u8 = 127;
/// Added to the number of the signal that ended the program, as shells do.
pub const SIGNAL_BASE: u8 = 128;

/// How a traced program ended, for `weir run` to end alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It exited with this status.
    Exited(u8),
    /// A signal of this number ended it.
    Signaled(u8),
}

impl ProgramEnd {
    /// The exit code that says the same: the status, or 128 and the signal.
    pub fn exit_code(self) -> u8 {
        match self {
            ProgramEnd::Exited(status) => status,
            ProgramEnd::Signaled(signal) => SIGNAL_BASE.saturating_add(signal),
        }
    }
}

impl From<ExitStatus> for ProgramEnd {
    fn from(status: ExitStatus) -> ProgramEnd {
        // Both fit: wait(2) has 8 bits for a status and 7 for a signal.
        match (status.code(), status.signal()) {
            (Some(code), _) => ProgramEnd::Exited((code & 0xff) as u8),
            (None, Some(signal)) => ProgramEnd::Signaled((signal & 0x7f) as u8),
            (None, None) => ProgramEnd::Exited(WEIR_FAILED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_end_is_reported_as_shells_do() {
        let wait_status = |raw| ProgramEnd::from(ExitStatus::from_raw(raw)).exit_code();
        assert_eq!(wait_status(0), 0);
        assert_eq!(wait_status(7 << 8), 7);
        assert_eq!(wait_status(255 << 8), 255);
        assert_eq!(wait_status(9), 137);
        assert_eq!(wait_status(11 | 0x80), 139, "with a core dump");
    }
}
