//! I/O by io_uring does not pass through Weir. The report says so, as far as that can be detected.

use weir_report::model::{IoUring, IoUringSeen};

use crate::support::{Mode, Program, victim};

/// What the report says about a victim that uses a ring in this way, and whether the system permitted the ring.
fn told(way: &str, mode: Mode) -> (Option<IoUring>, bool) {
    let outcome = Program::new(victim("uring")).arg(way).run(mode);
    let outcome = outcome.expect_status(0);
    let is_refused = outcome.text() == "refused\n";
    let report = outcome.reports.first().expect("a report");
    let own = &outcome.process().missed.io_uring;
    assert_eq!(report.missed.io_uring, *own, "the whole is the one process");
    (own.clone(), !is_refused)
}

#[test]
fn a_ring_is_reported_where_there_was_one() {
    for mode in Mode::MEASURED {
        let (io_uring, is_allowed) = told("kept", mode);
        let io_uring = io_uring.expect("the library was loaded");
        assert!(
            io_uring
                .library
                .is_some_and(|path| path.ends_with("/liburing.so.2"))
        );
        let expected = if is_allowed {
            IoUringSeen::Used
        } else {
            IoUringSeen::Loaded
        };
        assert_eq!(io_uring.seen, expected, "{mode:?}");

        let (io_uring, is_allowed) = told("touched", mode);
        let expected = if is_allowed {
            IoUringSeen::Used
        } else {
            IoUringSeen::AskedFor
        };
        let seen = IoUring {
            seen: expected,
            library: None,
        };
        assert_eq!(io_uring, Some(seen), "{mode:?}");
    }
}

#[test]
fn nothing_is_claimed_that_is_not_known() {
    for mode in Mode::MEASURED {
        assert_eq!(told("nothing", mode).0, None, "{mode:?}");
        for way in ["loaded", "closed"] {
            let seen = told(way, mode).0.map(|io_uring| io_uring.seen);
            assert_eq!(seen, Some(IoUringSeen::Loaded), "{way}, {mode:?}");
        }
        let seen = told("asked", mode).0.map(|io_uring| io_uring.seen);
        assert_eq!(seen, Some(IoUringSeen::AskedFor), "{mode:?}");
    }
}
