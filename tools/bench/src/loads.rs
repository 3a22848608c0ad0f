//! The C programs that are run, and the C limit: compiled here, each by one `cc -O2`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::timing::Timing;

/// Where the sources are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/loads");

/// A load and its shape; how many steps it runs is chosen where it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// malloc+free pairs in each of `threads` threads.
    Pairs {
        /// How many threads do so at once.
        threads: u32,
    },
    /// malloc+free pairs below `frames` frames of recursion.
    Deep {
        /// Depth of the recursion.
        frames: u32,
    },
    /// malloc+free pairs with `blocks` blocks live, at random places.
    Live {
        /// How many blocks are live.
        blocks: u32,
    },
    /// A 64-byte read of /dev/zero and write to /dev/null.
    ReadWrite,
    /// Steps of one kind of other I/O.
    Surface {
        /// `echo`, `ball`, `putc`, `printf` or `open`.
        kind: &'static str,
    },
    /// The resident memory of `threads` threads that have all allocated; it has no steps.
    Resident {
        /// How many threads, main's included.
        threads: u32,
    },
    /// One function, again and again, for a simulator.
    Calls {
        /// `malloc`, `free`, `read` or `write`.
        function: &'static str,
    },
}

impl Load {
    /// The name of its source, without `.c`.
    fn name(self) -> &'static str {
        match self {
            Self::Pairs { .. } => "pairs",
            Self::Deep { .. } => "deep",
            Self::Live { .. } => "live",
            Self::ReadWrite => "rw",
            Self::Surface { .. } => "surface",
            Self::Resident { .. } => "resident",
            Self::Calls { .. } => "calls",
        }
    }

    /// Its arguments, for `steps` steps.
    pub fn arguments(self, steps: u64) -> Vec<String> {
        match self {
            Self::Pairs { threads } => vec![threads.to_string(), steps.to_string()],
            Self::Deep { frames } => vec![frames.to_string(), steps.to_string()],
            Self::Live { blocks } => vec![blocks.to_string(), steps.to_string()],
            Self::ReadWrite => vec![steps.to_string()],
            Self::Surface { kind } => vec![kind.to_string(), steps.to_string()],
            Self::Resident { threads } => vec![threads.to_string()],
            Self::Calls { function } => vec![function.to_string(), steps.to_string()],
        }
    }
}

/// The compiled loads.
#[derive(Debug)]
pub struct Loads {
    folder: PathBuf,
}

impl Loads {
    /// Compiles the loads and the limit into `folder`.
    pub fn compile(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let loads = Self { folder };
        for name in [
            "pairs", "deep", "live", "rw", "surface", "resident", "calls",
        ] {
            // A frame of `deep` is to stay a frame.
            let flags = ["-fno-optimize-sibling-calls", "-pthread"];
            compile(name, &flags, &loads.folder.join(name))?;
        }
        for timing in Timing::ALL {
            let shared = ["-shared", "-fPIC"].into_iter();
            let variant = match timing {
                Timing::Off => None,
                Timing::Sampled => Some("-DSAMPLED"),
                Timing::All => Some("-DTIMED"),
            };
            compile(
                "limit",
                &shared.chain(variant).collect::<Vec<_>>(),
                &loads.limit(timing),
            )?;
        }
        Ok(loads)
    }

    /// The executable of a load.
    pub fn program(&self, load: Load) -> PathBuf {
        self.folder.join(load.name())
    }

    /// The C limit that times what Weir times under `timing`.
    pub fn limit(&self, timing: Timing) -> PathBuf {
        self.folder.join(match timing {
            Timing::Off => "limit-counts.so",
            Timing::Sampled => "limit-sampled.so",
            Timing::All => "limit-timed.so",
        })
    }

    /// The folder of the sources, which are also inputs: for the compiler as a program to measure.
    pub fn sources() -> &'static Path {
        Path::new(SOURCES)
    }
}

fn compile(name: &str, flags: &[&str], into: &Path) -> Result<()> {
    let source = Loads::sources().join(name).with_extension("c");
    let status = Command::new("cc")
        .arg("-O2")
        .args(flags)
        .arg("-o")
        .args([into, &source])
        .status()
        .context("cannot run cc: install a C compiler")?;
    if !status.success() {
        bail!("cc did not compile {}: {status}", source.display());
    }
    Ok(())
}

/// What a load printed: the number after `unit`, on a line of its own. Tools print there too.
pub fn parse_result(stdout: &str, unit: &str) -> Option<f64> {
    stdout.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        if name == unit {
            value.parse().ok()
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_among_what_tools_print() {
        let stdout = "heaptrack output will be written to somewhere\nns_per_pair 12.5\nbye\n";
        assert_eq!(parse_result(stdout, "ns_per_pair"), Some(12.5));
        assert_eq!(parse_result(stdout, "resident_kib"), None);
        assert_eq!(parse_result("ns_per_pair soon\n", "ns_per_pair"), None);
    }

    #[test]
    fn arguments_are_those_of_the_sources() {
        assert_eq!(Load::Pairs { threads: 2 }.arguments(100), ["2", "100"]);
        assert_eq!(Load::Deep { frames: 30 }.arguments(5), ["30", "5"]);
        assert_eq!(Load::ReadWrite.arguments(7), ["7"]);
        assert_eq!(Load::Resident { threads: 9 }.arguments(0), ["9"]);
        assert_eq!(
            Load::Calls { function: "free" }.arguments(64),
            ["free", "64"]
        );
    }
}
