//! How a process image ended, from all sources.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use weir_record::region::{Header, Phase};
use weir_report::model::{End, EndKind};

/// It has not.
pub fn running() -> End {
    End {
        how: EndKind::Running,
        ..End::default()
    }
}

/// By its status for wait(2).
pub fn known(status: ExitStatus) -> End {
    match status.signal() {
        Some(signal) => End {
            how: EndKind::Signaled,
            signal: Some(signal),
            status: None,
        },
        None => exited(status.code()),
    }
}

/// As the image itself noted last, now that it has ended.
pub fn by_phase(header: &Header) -> End {
    match header.phase() {
        Phase::Replacing => replaced(),
        Phase::Exiting => exited(header.exit_status()),
        Phase::Starting | Phase::Running => End::default(),
    }
}

/// It exited, with this status if that is known.
pub fn exited(status: Option<i32>) -> End {
    End {
        how: EndKind::Exited,
        // What exit(3) was given; the parent sees the lowest eight bits.
        status: status.map(|status| status & 0xff),
        signal: None,
    }
}

/// It went on as another image.
pub fn replaced() -> End {
    End {
        how: EndKind::Exec,
        ..End::default()
    }
}
