use object::{Object, ObjectSection};

/// run-order.ld names functions without their hashes. If the compiler named them otherwise, no section would match.
#[test]
fn what_run_executes_stands_together() {
    if option_env!("WEIR_RUN_ORDER").is_none() {
        // The builder has chosen a linker (build.rs).
        return;
    }
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_weir")).expect("read");
    let program = object::File::parse(&*bytes).expect("an ELF file");
    let together = program.section_by_name(".text.run").expect("a section");
    // In release builds 970 KB. More is inlined there than where this runs.
    let all = program.section_by_name(".text").expect("code");
    let least = 200 * 1024;
    assert!(together.size() > least, "{}", together.size());
    assert!(together.size() < all.size(), "{}", together.size());
}
