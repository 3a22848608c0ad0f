//! Step 5.

use crate::support::example;

#[test]
fn every_error_is_reported_and_null_is_none() {
    let outcome = example(&["run_time"]);
    let lines = outcome.part("$ ./host");
    let [
        missing_library,
        loaded,
        greeting,
        missing_symbol,
        nothing,
        rest @ ..,
    ] = lines.as_slice()
    else {
        panic!("{lines:?}");
    };
    assert!(
        missing_library.starts_with("dlopen fails: ./libmissing.so: cannot open shared object")
    );
    assert_eq!(*loaded, "plugin: loaded");
    assert_eq!(*greeting, "dlsym finds greeting, and it says: Good");
    assert!(missing_symbol.starts_with("dlsym fails: "));
    assert!(missing_symbol.ends_with("undefined symbol: farewell"));
    assert_eq!(
        *nothing,
        "dlsym finds nothing at 0x0, and dlerror has no complaint"
    );
    assert_eq!(
        rest,
        [
            "dlopen again, same handle: true",
            "dlclose once, still loaded: true",
            "plugin: unloaded",
            "dlclose twice, still loaded: false",
        ]
    );
}

#[test]
fn a_jump_to_dlsym_finds_the_wrong_one() {
    let outcome = example(&["run_time"]);
    assert_eq!(
        outcome.part("the tail call trap")[1..],
        [
            "real_rand_by_jump: the real rand is in libtail_call.so",
            "real_rand_by_call: the real rand is in libc.so.6",
        ]
    );
}
