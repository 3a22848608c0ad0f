//! The ways to run a program: without a tool, under Weir, under a peer, under the C limit.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::command::find_program;
use crate::loads::Loads;
use crate::product::{Product, REPORT};
use crate::timing::Timing;

/// A way to run a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// Just so.
    NoTool,
    /// Under the C limit.
    Limit(Timing),
    /// Under `weir run`, which records the call stacks of samples.
    Weir(Timing),
    /// Under `weir run --stacks off`: no call has its call stack.
    Counts(Timing),
    /// Under `weir run --stacks all`: every call has its call stack, every block its call site.
    Stacks,
    /// Under `weir run --coop`: calls that may block are made in two parts.
    Parted,
    /// With the library preloaded, and nothing else of Weir.
    Preload,
    /// Under glibc's `memusage`.
    Memusage,
    /// Under `heaptrack`.
    Heaptrack,
    /// Under `strace -c`.
    Strace,
    /// Under `ltrace -c`.
    Ltrace,
}

impl Contestant {
    /// The peers that watch allocations.
    pub const ALLOCATION_PEERS: [Self; 4] =
        [Self::Memusage, Self::Heaptrack, Self::Strace, Self::Ltrace];

    /// How tables name it.
    pub fn label(self) -> String {
        match self {
            Self::NoTool => "no tool".into(),
            Self::Limit(Timing::Off) => "C limit, counts".into(),
            Self::Limit(Timing::Sampled) => "C limit, 1 in 128 timed".into(),
            Self::Limit(Timing::All) => "C limit, all timed".into(),
            Self::Weir(timing) => match timing.option() {
                Some(value) => format!("`weir run --time {value}`"),
                None => "`weir run`".into(),
            },
            Self::Counts(timing) => match timing.option() {
                Some(value) => format!("`weir run --stacks off --time {value}`"),
                None => "`weir run --stacks off`".into(),
            },
            Self::Stacks => "`weir run --stacks all`".into(),
            Self::Parted => "`weir run --coop`".into(),
            Self::Preload => "`LD_PRELOAD=libweir.so`".into(),
            Self::Memusage => "`memusage`".into(),
            Self::Heaptrack => "`heaptrack`".into(),
            Self::Strace => "`strace -c`".into(),
            Self::Ltrace => "`ltrace -c`".into(),
        }
    }

    /// The program of a peer.
    pub fn peer(self) -> Option<&'static str> {
        match self {
            Self::Memusage => Some("memusage"),
            Self::Heaptrack => Some("heaptrack"),
            Self::Strace => Some("strace"),
            Self::Ltrace => Some("ltrace"),
            Self::NoTool
            | Self::Limit(_)
            | Self::Weir(_)
            | Self::Counts(_)
            | Self::Stacks
            | Self::Parted
            | Self::Preload => None,
        }
    }

    /// Whether this machine has what it takes.
    pub fn is_installed(self) -> bool {
        self.peer().is_none_or(|peer| find_program(peer).is_some())
    }

    /// The command that runs `program` this way, still without the program's arguments, with
    /// `folder` as its working directory and the place of what a tool writes.
    pub fn command(
        self,
        product: &Product,
        loads: &Loads,
        program: &OsStr,
        folder: &Path,
    ) -> Command {
        let mut command = match self {
            Self::NoTool => Command::new(program),
            Self::Limit(timing) => {
                let mut command = Command::new(program);
                command.env("LD_PRELOAD", loads.limit(timing));
                command
            }
            Self::Preload => {
                let mut command = Command::new(program);
                command.env("LD_PRELOAD", &product.library);
                command.env("WEIR_OUT", folder.join(REPORT));
                command
            }
            Self::Weir(timing) => match timing.option() {
                Some(value) => product.run(&["--time", value], program, folder),
                None => product.run(&[], program, folder),
            },
            Self::Counts(timing) => match timing.option() {
                Some(value) => product.run(&["--stacks", "off", "--time", value], program, folder),
                None => product.run(&["--stacks", "off"], program, folder),
            },
            Self::Stacks => product.run(&["--stacks", "all"], program, folder),
            Self::Parted => product.run(&["--coop"], program, folder),
            Self::Memusage => under("memusage", &[], program),
            Self::Heaptrack => under("heaptrack", &["-o", "heaptrack"], program),
            Self::Strace => under("strace", &["-f", "-c", "-o", "strace"], program),
            Self::Ltrace => under("ltrace", &["-f", "-c", "-o", "ltrace"], program),
        };
        command.current_dir(folder);
        command
    }
}

fn under(tool: &str, options: &[&str], program: &OsStr) -> Command {
    let mut command = Command::new(tool);
    command.args(options).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_contestants_are_always_there() {
        assert!(Contestant::NoTool.is_installed());
        assert!(Contestant::Weir(Timing::All).is_installed());
    }
}
