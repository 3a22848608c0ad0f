//! What the machine gives: descriptors for all connections, processors.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Descriptors that are none of a connection.
const OTHERS: u64 = 32;

/// Raises this process's limit to what is allowed, if that is enough.
pub fn raise(connections: u32) -> Result<()> {
    let needed = u64::from(connections) + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        bail!(
            "{connections} connections take {needed} descriptors, and this process may have {most}: \
             raise the hard limit (ulimit -Hn, as root), or ask for fewer (--connections {})",
            most.saturating_sub(OTHERS),
        );
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(())
}

/// Keeps this thread on one processor, counted from the first that it may use; so that two that are measured do not
/// share one while another is idle. Where there are not so many, it stays where it is.
pub fn keep_to_processor(number: usize) -> Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
    if let Some(processor) = processors.nth(number) {
        let mut one = CpuSet::new();
        one.set(processor);
        sched_setaffinity(None, &one)?;
    }
    Ok(())
}
