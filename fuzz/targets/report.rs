//! A report of whatever content: `weir report` reads it, or says what is wrong; what was read can be written and
//! read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_report::model::Stacks;
use weir_report::{emit, read, recording};

fuzz_target!(|text: &[u8]| {
    let report = match read::from_slice(text) {
        Ok(report) => report,
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
            return;
        }
    };
    let back = read::from_slice(&emit::to_json(&report)).expect("a report is readable");
    assert!(back == report, "a report is read as it was written");
    let stacks = || report.processes.iter().filter_map(|of| of.stacks.as_ref());
    for most in [3, usize::MAX] {
        if let Some(together) = Stacks::together(stacks(), most) {
            assert_eq!(together.check(), Ok(()), "all stacks together");
        }
    }
    // Foreign histograms and counters are added up when reports are combined.
    recording::report(report.processes, report.end, report.duration_ns);
});
