//! Descriptors for all connections.

use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
