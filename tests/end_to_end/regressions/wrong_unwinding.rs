//! Unwind information that is wrong leads out of the stack. What it leads to may go at any moment, and is never touched: the program
//! goes on, and each of its calls is counted.

use weir_report::model::Process;

use crate::support::{Mode, Program, victim};

/// Ways to take stacks, and whether each call has one.
const WAYS: [(&[(&str, &str)], bool); 4] = [
    (&[("WEIR_STACKS", "sampled")], false),
    (&[("WEIR_STACKS", "all")], true),
    (&[("WEIR_STACKS", "verify")], true),
    (
        &[("WEIR_STACKS", "all"), ("WEIR_FRAME_POINTERS", "on")],
        true,
    ),
];

/// How often the program writes before something becomes of the page, and after that. A multiple of that of others.
const ROUND: u64 = 9_000;

fn expect_counted(what: &str, writes: u64, reason: Option<&str>) {
    let program = Program::new(victim("past_its_stack")).arg(what);
    let plain = program.plain().expect_status(0);
    for mode in Mode::MEASURED {
        for (settings, have_all) in WAYS {
            let set = |program: Program, (name, value): &(&str, &str)| program.env(name, value);
            let program = settings.iter().fold(program.clone(), set);
            let outcome = program.run(mode).expect_same(&plain);
            let process: &Process = outcome.process();
            assert_eq!(process.functions["write"].calls, writes, "{what}");
            let stacks = process.stacks.as_ref().expect("stacks");
            // Its words change between two walks.
            if what != "protected_meanwhile" {
                assert_eq!(stacks.ended.get("differs"), None, "{what}");
            }
            if have_all {
                let at_sites = stacks.sites.iter().filter(|site| site.function == "write");
                assert_eq!(at_sites.map(|site| site.calls).sum::<u64>(), writes);
                let cut = reason.map(|reason| stacks.ended.get(reason));
                // With each of its calls of malloc, too.
                assert!(cut.is_none_or(|cut| cut.is_some_and(|cut| *cut >= ROUND)));
            }
        }
    }
}

#[test]
fn a_page_that_is_protected() {
    expect_counted("protected", 2 * ROUND, Some("not_readable"));
}

/// The stack is a part of that of its thread, and so is the page.
#[test]
fn a_page_of_the_thread_s_own_stack() {
    expect_counted("within_own", 4 * ROUND, Some("not_readable"));
}

#[test]
fn a_page_that_is_unmapped() {
    expect_counted("unmapped", 2 * ROUND, Some("not_readable"));
    expect_counted("unmapped_unseen", 2 * ROUND, Some("not_readable"));
}

/// Another thread takes the page and gives it back, all the time.
#[test]
fn a_page_that_comes_and_goes() {
    expect_counted("protected_meanwhile", 31 * ROUND, None);
}

/// The kernel waits for whoever fills it (userfaultfd(2)).
#[test]
fn a_page_that_nobody_fills() {
    expect_counted("never_filled", ROUND, Some("not_readable"));
}

#[test]
fn what_no_handler_has_interrupted() {
    expect_counted("behind_a_handler", ROUND, None);
}
